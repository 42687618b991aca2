-- +goose Up

-- The audit logs of other nodes of which this node keeps checkpoints: the state that was
-- proved last, and the checkpoint that says so.
CREATE TABLE witness_logs (
    node     TEXT   PRIMARY KEY,
    format   BIGINT NOT NULL,
    epoch    BIGINT NOT NULL,
    size     BIGINT NOT NULL,
    root     TEXT   NOT NULL,
    note     BYTEA  NOT NULL,
    since    BIGINT NOT NULL, -- when the first one was taken
    seen     BIGINT NOT NULL, -- when the log was last known to be in this state
    standing TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    strikes  BIGINT NOT NULL  -- signatures and proofs in a row that did not hold
);

-- The last checkpoint of each day, and of each epoch on it. It outlives a membership.
CREATE TABLE witness_days (
    node  TEXT   NOT NULL,
    day   BIGINT NOT NULL, -- since 1970, UTC
    epoch BIGINT NOT NULL,
    size  BIGINT NOT NULL,
    root  TEXT   NOT NULL,
    note  BYTEA  NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (node, day, epoch)
);
CREATE INDEX witness_days_day ON witness_days (day);

-- What contradicts what a node signed before, with both checkpoints. It outlives the rest.
CREATE TABLE witness_evidence (
    id       BIGINT PRIMARY KEY,
    node     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    standing TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    ours     BYTEA  NOT NULL,
    theirs   BYTEA  NOT NULL,
    UNIQUE (node, standing, theirs)
);

-- +goose Down
DROP TABLE witness_evidence;
DROP TABLE witness_days;
DROP TABLE witness_logs;
