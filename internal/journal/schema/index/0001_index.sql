-- +goose Up

-- What entries are looked up by. Everything here is read from the log.
-- (INTEGER, not BIGINT: this is SQLite's row number.)
CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY,
    id      TEXT   NOT NULL UNIQUE,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    act     TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    owner   TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    project TEXT   NOT NULL
);
CREATE INDEX entries_actor ON entries (actor, seq);
CREATE INDEX entries_subject ON entries (owner, subject, seq);
CREATE INDEX entries_act ON entries (act, seq);
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_refused ON entries (seq) WHERE outcome = 'refused';
CREATE INDEX entries_project ON entries (project, seq) WHERE project <> '';

-- +goose Down
DROP TABLE entries;
