-- +goose Up

-- What happened, each entry chained to the one before it by its hash.
CREATE TABLE journal (
    seq     BIGINT PRIMARY KEY,
    format  BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    version TEXT   NOT NULL,
    detail  TEXT   NOT NULL,
    hash    TEXT   NOT NULL
);
CREATE INDEX journal_subject ON journal (subject, seq);

-- +goose Down
DROP TABLE journal;
