-- +goose Up

-- Runs that another node carries out: which, why there, the number of what it said last,
-- and when that came.
ALTER TABLE runs ADD COLUMN node  TEXT   NOT NULL DEFAULT ''; -- '': this one
ALTER TABLE runs ADD COLUMN why   TEXT   NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN seen  BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;
CREATE INDEX runs_node ON runs (node, state) WHERE node <> '';

-- Orders of other nodes for runs here, by the id of the run. What was last told of one is
-- last, as JSON, under the number seq, and in told and tries. spent: it was counted as a training without
-- reading.
CREATE TABLE run_orders (
    run       TEXT   PRIMARY KEY,
    node      TEXT   NOT NULL,
    message   TEXT   NOT NULL,
    asker     TEXT   NOT NULL, -- JSON: the principal; '': it was canceled before it came
    request   TEXT   NOT NULL, -- JSON
    state     TEXT   NOT NULL, -- taken, submitted, ended
    canceled  BIGINT NOT NULL DEFAULT 0,
    spent     BIGINT NOT NULL DEFAULT 0,
    seq       BIGINT NOT NULL DEFAULT 0,
    told      TEXT   NOT NULL DEFAULT '',
    tries     BIGINT NOT NULL DEFAULT 0,
    last      TEXT   NOT NULL DEFAULT '',
    taken_at  BIGINT NOT NULL,
    ended_at  BIGINT
);
CREATE INDEX run_orders_open ON run_orders (node) WHERE state <> 'ended';
CREATE INDEX run_orders_ended ON run_orders (ended_at) WHERE state = 'ended';

-- People of other nodes in whose name something goes on here that their home asked for in
-- a message, as it vouched for them there.
CREATE TABLE guest_orders (
    node       TEXT   NOT NULL,
    message    TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    format     BIGINT NOT NULL,
    said       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (node, message)
);
CREATE INDEX guest_orders_expires ON guest_orders (expires_at);

-- +goose Down
DROP TABLE guest_orders;
DROP TABLE run_orders;
DROP INDEX runs_node;
DELETE FROM runs WHERE node <> '';
ALTER TABLE runs DROP COLUMN heard;
ALTER TABLE runs DROP COLUMN seen;
ALTER TABLE runs DROP COLUMN why;
ALTER TABLE runs DROP COLUMN node;
