-- +goose Up

-- Who the pseudonyms of the log are. A person who was forgotten keeps the row,
-- so that the pseudonym is known to be one, and has neither name nor salt.
CREATE TABLE people (
    pseudonym    TEXT   PRIMARY KEY,
    person       TEXT   UNIQUE,
    salt         BLOB,
    forgotten_at BIGINT
);

-- Purpose and detail of entries, of which the log has salted digests. Blank once
-- they are forgotten. (INTEGER, not BIGINT: this is SQLite's row number.)
CREATE TABLE bodies (
    seq  INTEGER PRIMARY KEY,
    salt BLOB,
    body BLOB
);

-- What stands in the logs of the catalogue: the statements, of which the logs
-- have salted digests.
CREATE TABLE statements (
    log    TEXT   NOT NULL,
    place  BIGINT NOT NULL,
    id     TEXT   NOT NULL,
    salt   BLOB   NOT NULL,
    body   BLOB   NOT NULL,
    PRIMARY KEY (log, place),
    UNIQUE (log, id)
);

-- +goose Down
DROP TABLE statements;
DROP TABLE bodies;
DROP TABLE people;
