-- +goose Up

-- What changed, in order, so that what is held in memory follows by reading the
-- rows it has not seen.
CREATE TABLE policy_changes (
    turn    BIGINT PRIMARY KEY,
    kind    TEXT   NOT NULL, -- asset, grant, project
    key     TEXT   NOT NULL, -- name, or id
    version TEXT   NOT NULL
);

-- The terms of published versions. A version without is a draft to policy.
CREATE TABLE policy_terms (
    name    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    format  BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    turn    BIGINT NOT NULL, -- of the change by which they came
    PRIMARY KEY (name, version)
);

-- The openings that terms plan. One that was recorded stays.
CREATE TABLE policy_openings (
    name        TEXT   NOT NULL,
    version     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    tier        TEXT   NOT NULL,
    recorded_at BIGINT,
    PRIMARY KEY (name, version, at)
);
CREATE INDEX policy_openings_due ON policy_openings (at) WHERE recorded_at IS NULL;

-- What a version was made from, directly or not, and the tier to which each
-- source's steward lowered what it asks of this version.
CREATE TABLE policy_sources (
    child_name    TEXT NOT NULL,
    child_version TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    creator       TEXT NOT NULL,
    lowered       TEXT, -- JSON of genesis.Lowered
    PRIMARY KEY (child_name, child_version, name, version)
);
CREATE INDEX policy_sources_source ON policy_sources (name, version);

-- body is the JSON of genesis.Grant; the other columns are for finding it.
CREATE TABLE policy_grants (
    seq     BIGINT PRIMARY KEY,
    id      TEXT   NOT NULL UNIQUE,
    name    TEXT   NOT NULL,
    grantee TEXT   NOT NULL,
    until   BIGINT,
    revoked BIGINT NOT NULL, -- 0, 1
    format  BIGINT NOT NULL,
    body    TEXT   NOT NULL
);
CREATE INDEX policy_grants_name ON policy_grants (name, seq);
CREATE INDEX policy_grants_grantee ON policy_grants (grantee, seq);
CREATE INDEX policy_grants_until ON policy_grants (until) WHERE revoked = 0;

-- body is the JSON of genesis.AccessRequest.
CREATE TABLE policy_requests (
    seq    BIGINT PRIMARY KEY,
    id     TEXT   NOT NULL UNIQUE,
    name   TEXT   NOT NULL,
    person TEXT   NOT NULL,
    state  TEXT   NOT NULL,
    format BIGINT NOT NULL,
    body   TEXT   NOT NULL
);
CREATE INDEX policy_requests_name ON policy_requests (name, seq);
CREATE INDEX policy_requests_person ON policy_requests (person, seq);
CREATE INDEX policy_requests_state ON policy_requests (state, seq);

-- body is the JSON of genesis.Project.
CREATE TABLE policy_projects (
    id     TEXT   PRIMARY KEY,
    format BIGINT NOT NULL,
    body   TEXT   NOT NULL
);

-- +goose Down
DROP TABLE policy_projects;
DROP TABLE policy_requests;
DROP TABLE policy_grants;
DROP TABLE policy_sources;
DROP TABLE policy_openings;
DROP TABLE policy_terms;
DROP TABLE policy_changes;
