-- +goose Up

-- The logs of other nodes' catalogues that this node follows. size and root are of the
-- state that was verified, applied is how much of that is in mirror_listings.
CREATE TABLE mirror_logs (
    id       BIGINT PRIMARY KEY,
    node     TEXT   NOT NULL,
    class    TEXT   NOT NULL,
    format   BIGINT NOT NULL,
    origin   TEXT   NOT NULL,
    epoch    BIGINT NOT NULL,
    base     BIGINT NOT NULL, -- entries in the epochs before
    size     BIGINT NOT NULL,
    root     TEXT   NOT NULL,
    note     BYTEA  NOT NULL, -- the checkpoint that says so
    applied  BIGINT NOT NULL,
    fresh    BIGINT NOT NULL, -- when it was last known to be all there is
    standing TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    strikes  BIGINT NOT NULL, -- signatures in a row that did not hold
    skipped  BIGINT NOT NULL, -- statements that this program cannot use
    pin_epoch BIGINT NOT NULL, -- what was verified before the log was begun anew; 0: nothing
    pin_size  BIGINT NOT NULL,
    pin_root  TEXT   NOT NULL,
    UNIQUE (node, class)
);

-- Hashes of the entries that were applied, 256 to a row: with them, what a node says of
-- an earlier state is checked.
CREATE TABLE mirror_hashes (
    log    BIGINT NOT NULL,
    epoch  BIGINT NOT NULL,
    tile   BIGINT NOT NULL,
    hashes BYTEA  NOT NULL,
    PRIMARY KEY (log, epoch, tile)
);

CREATE TABLE mirror_listings (
    log     BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    thread  TEXT   NOT NULL, -- by which a statement ends it
    body    BYTEA  NOT NULL,
    PRIMARY KEY (log, name, version)
);
CREATE INDEX mirror_listings_thread ON mirror_listings (log, thread);

-- What contradicts what a node said before, with both checkpoints. It outlives the rest.
CREATE TABLE mirror_evidence (
    id     BIGINT PRIMARY KEY,
    node   TEXT   NOT NULL,
    class  TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    reason TEXT   NOT NULL,
    ours   BYTEA  NOT NULL,
    theirs BYTEA  NOT NULL,
    UNIQUE (node, class, theirs)
);

-- +goose Down
DROP TABLE mirror_evidence;
DROP TABLE mirror_listings;
DROP TABLE mirror_hashes;
DROP TABLE mirror_logs;
