-- +goose Up

-- Messages for other nodes, in the order in which they go to each.
CREATE TABLE post_out (
    place   INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    peer    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    about   TEXT NOT NULL,
    payload BLOB NOT NULL, -- canonical JSON; signed when it is sent
    created BIGINT NOT NULL,
    state   TEXT NOT NULL, -- waits, taken, refused, expired
    reason  TEXT NOT NULL DEFAULT '',
    receipt BLOB,          -- as the other node signed it
    ended   BIGINT
);
CREATE INDEX post_out_waiting ON post_out (peer, state, place);
CREATE INDEX post_out_about ON post_out (about);

-- Messages of other nodes that were acted upon.
CREATE TABLE post_in (
    peer     TEXT NOT NULL,
    id       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    about    TEXT NOT NULL,
    digest   TEXT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (peer, id)
);

-- +goose Down
DROP TABLE post_in;
DROP TABLE post_out;
