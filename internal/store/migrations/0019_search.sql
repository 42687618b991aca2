-- +goose Up

-- The search index moves out of the database, into files of its own (catalog/find). What
-- changes what is found is noted here until it is in the index. This node has no name here;
-- without a version it is all of an asset, without a name all of a node.
DROP TABLE search_stale;
DROP TABLE search_postings;
DROP TABLE search_texts;
CREATE TABLE found_queue (
    node    TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    urgency BIGINT NOT NULL, -- 1: no search is answered before
    seq     BIGINT NOT NULL UNIQUE,
    PRIMARY KEY (node, name, version)
);
CREATE INDEX found_urgent ON found_queue (seq) WHERE urgency >= 1;

-- Which index belongs to this database: another one is built anew.
CREATE TABLE found_series (
    series TEXT PRIMARY KEY
);

CREATE INDEX versions_creator ON versions (created_by);

-- +goose Down
DROP INDEX versions_creator;
DROP TABLE found_series;
DROP TABLE found_queue;
CREATE TABLE search_texts (
    version_id BIGINT PRIMARY KEY REFERENCES versions (id),
    body       TEXT NOT NULL,
    sum        TEXT NOT NULL
);
CREATE TABLE search_postings (
    term  TEXT   NOT NULL,
    chunk BIGINT NOT NULL,
    body  BYTEA  NOT NULL,
    PRIMARY KEY (term, chunk)
);
CREATE TABLE search_stale (
    version_id BIGINT PRIMARY KEY REFERENCES versions (id)
);
INSERT INTO search_stale SELECT id FROM versions WHERE state IN ('draft', 'published');
