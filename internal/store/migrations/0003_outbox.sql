-- +goose Up

-- Events that were recorded with their act and are not in their log yet. The
-- entries of the table journal, which was the log before, go through it, too.
CREATE TABLE outbox (
    place  BIGINT PRIMARY KEY,
    log    TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    format BIGINT NOT NULL,
    event  TEXT   NOT NULL,
    UNIQUE (log, id)
);

-- +goose Down
DROP TABLE outbox;
