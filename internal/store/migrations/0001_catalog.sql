-- +goose Up

-- Names. Everything called current_… follows from the asset's current version:
-- the latest published one, else the newest draft.
CREATE TABLE assets (
    id              BIGINT PRIMARY KEY,
    name            TEXT   NOT NULL UNIQUE,
    kind            TEXT   NOT NULL,
    title           TEXT   NOT NULL DEFAULT '',
    created_at      BIGINT NOT NULL,
    current_version BIGINT
);

-- turn grows with every commit, also of a version that is there already: the
-- draft with the highest turn is the newest.
CREATE TABLE versions (
    id         BIGINT PRIMARY KEY,
    asset_id   BIGINT NOT NULL REFERENCES assets (id),
    digest     TEXT   NOT NULL,
    number     BIGINT,
    state      TEXT   NOT NULL,
    turn       BIGINT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    row_count  BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    UNIQUE (asset_id, digest),
    UNIQUE (asset_id, number)
);

-- Statements about versions. The one that holds has no superseded_at; those
-- before it are kept.
CREATE TABLE records (
    version_id    BIGINT NOT NULL REFERENCES versions (id),
    kind          TEXT   NOT NULL,
    edition       BIGINT NOT NULL,
    format        BIGINT NOT NULL,
    body          TEXT   NOT NULL,
    digest        TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT   NOT NULL,
    superseded_at BIGINT,
    PRIMARY KEY (version_id, kind, edition)
);
CREATE UNIQUE INDEX records_current ON records (version_id, kind) WHERE superseded_at IS NULL;

CREATE TABLE lineage (
    child_id  BIGINT NOT NULL REFERENCES versions (id),
    parent_id BIGINT NOT NULL REFERENCES versions (id),
    PRIMARY KEY (child_id, parent_id)
);
CREATE INDEX lineage_parent ON lineage (parent_id);

-- Derived from the current version's name, card and columns.
CREATE TABLE search_terms (
    asset_id BIGINT           NOT NULL REFERENCES assets (id),
    term     TEXT             NOT NULL,
    weight   DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (term, asset_id)
);
CREATE INDEX search_terms_asset ON search_terms (asset_id);
CREATE TABLE search_texts (
    asset_id BIGINT PRIMARY KEY REFERENCES assets (id),
    body     TEXT   NOT NULL
);

-- +goose Down
DROP TABLE search_texts;
DROP TABLE search_terms;
DROP TABLE lineage;
DROP TABLE records;
DROP TABLE versions;
DROP TABLE assets;
