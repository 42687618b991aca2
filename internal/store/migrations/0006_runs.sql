-- +goose Up

-- Executions of work. seq is the order in which they were asked for. What
-- identifies the request is kept apart from what it came to when it was allowed
-- (pinned), so that asking again can be told from asking for something else. The
-- long columns are last, where a listing does not read them.
CREATE TABLE runs (
    id         TEXT   PRIMARY KEY,
    seq        BIGINT NOT NULL UNIQUE,
    kind       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    person     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    attached   BIGINT NOT NULL, -- 1: somebody waits for it, and it ends with them
    tries      BIGINT NOT NULL,
    memory     BIGINT NOT NULL,
    seconds    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at   BIGINT,
    asker      TEXT   NOT NULL, -- JSON: the principal
    error      TEXT   NOT NULL DEFAULT '', -- JSON: a problem
    files      TEXT   NOT NULL DEFAULT '', -- JSON: names, and paths of those that can be opened again
    request    TEXT   NOT NULL,
    pinned     TEXT   NOT NULL,
    result     TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX runs_person ON runs (person, seq);
CREATE INDEX runs_state ON runs (state, seq);

-- +goose Down
DROP TABLE runs;
