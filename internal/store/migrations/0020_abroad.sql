-- +goose Up

-- What this node's people asked for at other nodes: as it was sent, and as the owner's
-- node said last that it stands. turn is that of the owner's latest word; body the JSON of
-- abroad.Request.
CREATE TABLE abroad_requests (
    seq    BIGINT PRIMARY KEY,
    id     TEXT   NOT NULL UNIQUE,
    peer   TEXT   NOT NULL,
    person TEXT   NOT NULL, -- subject
    state  TEXT   NOT NULL,
    turn   BIGINT NOT NULL,
    format BIGINT NOT NULL,
    body   TEXT   NOT NULL
);
CREATE INDEX abroad_requests_person ON abroad_requests (person, seq);
CREATE INDEX abroad_requests_peer ON abroad_requests (peer);

-- Grants of other nodes that reach somebody here, as their nodes told. body is the JSON
-- of genesis.Grant.
CREATE TABLE abroad_grants (
    peer    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    grantee TEXT   NOT NULL,
    turn    BIGINT NOT NULL,
    format  BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (peer, id)
);
CREATE INDEX abroad_grants_grantee ON abroad_grants (grantee);

-- What other nodes were told: the turn of the latest word about a request, a grant or a
-- project; and when a grant that was told ends by itself, until that is told, too.
CREATE TABLE abroad_told (
    peer  TEXT   NOT NULL,
    topic TEXT   NOT NULL, -- kind and id
    turn  BIGINT NOT NULL,
    until BIGINT,
    PRIMARY KEY (peer, topic)
);
CREATE INDEX abroad_told_until ON abroad_told (until) WHERE until IS NOT NULL;

-- +goose Down
DROP TABLE abroad_told;
DROP TABLE abroad_grants;
DROP TABLE abroad_requests;
