-- +goose Up

-- Published versions. Who may know of one without being asked who they are is worked out
-- again when it is due: 0 is at once, NULL not by itself. What was published before there
-- were logs for each class is stated now.
CREATE TABLE classed (
    name      TEXT   NOT NULL,
    version   TEXT   NOT NULL,
    due       BIGINT,
    published BIGINT NOT NULL, -- 0: not known
    PRIMARY KEY (name, version)
);
CREATE INDEX classed_due ON classed (due) WHERE due IS NOT NULL;
INSERT INTO classed (name, version, due, published)
    SELECT a.name, v.digest, 0, 0 FROM versions v JOIN assets a ON a.id = v.asset_id WHERE v.state = 'published';

-- What the classes followed from last: members and policies. When that is another, all is due.
CREATE TABLE class_basis (
    id     BIGINT PRIMARY KEY, -- 1
    digest TEXT   NOT NULL
);

-- What the logs of the catalogue say at present: of each version, in the log of each
-- class that may know of it, one statement, with the listing that it is about.
CREATE TABLE listed (
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    class     TEXT NOT NULL,
    statement TEXT NOT NULL UNIQUE,
    thread    TEXT NOT NULL, -- id that all statements about it have in common since it entered the class
    digest    TEXT NOT NULL,
    PRIMARY KEY (name, version, class)
);
CREATE INDEX listed_digest ON listed (digest);
CREATE TABLE listings (
    digest TEXT  PRIMARY KEY,
    body   BYTEA NOT NULL
);

-- +goose Down
DROP TABLE listings;
DROP TABLE listed;
DROP TABLE class_basis;
DROP TABLE classed;
