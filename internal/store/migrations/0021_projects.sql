-- +goose Up

-- Projects of other nodes that people of this one are in, as their homes told. body is
-- the JSON of genesis.Project.
CREATE TABLE abroad_projects (
    peer   TEXT   NOT NULL,
    id     TEXT   NOT NULL,
    turn   BIGINT NOT NULL,
    format BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (peer, id)
);

-- Who of this node is in them, with the token by which the project's home says so to
-- whomever it may concern; until is when that ends, 0 where there is none.
CREATE TABLE abroad_members (
    subject TEXT   NOT NULL,
    peer    TEXT   NOT NULL,
    project TEXT   NOT NULL,
    token   TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (subject, peer, project)
);
CREATE INDEX abroad_members_peer ON abroad_members (peer, until);

-- For which projects a version was made: their people may use it as who made it.
CREATE TABLE policy_teams (
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    project TEXT NOT NULL,
    PRIMARY KEY (name, version, project)
);
CREATE INDEX policy_teams_project ON policy_teams (project, name);

-- +goose Down
DROP TABLE policy_teams;
DROP TABLE abroad_members;
DROP TABLE abroad_projects;
