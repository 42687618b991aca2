-- +goose Up

-- What somebody has trained on without reading it: a table, and the columns learnt
-- from and to predict, as a JSON list. The sketch is of the rows of these columns, by
-- the key of the node that key_id is the digest of. It outlives the version, because the
-- model does: what the person trains on next is compared with it. A purge empties it.
CREATE TABLE unread_tables (
    person    TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    tab       TEXT   NOT NULL,
    columns   TEXT   NOT NULL,
    row_count BIGINT NOT NULL,
    key_id    TEXT   NOT NULL,
    sketch    TEXT   NOT NULL,
    PRIMARY KEY (person, name, version, tab, columns)
);
CREATE INDEX unread_tables_version ON unread_tables (version);

-- +goose Down
DROP TABLE unread_tables;
