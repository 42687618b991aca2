-- +goose Up

-- Blobs of which somebody received all from another node, in a pull that is not over: their
-- bytes may be taken for those of a version of that node without moving again. That the
-- bytes are here is not enough: they may be here for somebody else.
CREATE TABLE pulled_blobs (
    person TEXT   NOT NULL,
    node   TEXT   NOT NULL,
    digest TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (person, node, digest)
);
CREATE INDEX pulled_blobs_at ON pulled_blobs (at);

-- Under which names the content of a version is here.
CREATE INDEX versions_digest ON versions (digest);

-- +goose Down
DROP INDEX versions_digest;
DROP TABLE pulled_blobs;
