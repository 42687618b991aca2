-- +goose Up

-- The card's title moves from the asset to each version: what an asset is called
-- depends on which of its versions somebody may see, and so does which one is
-- current. Rows get a sum over what they say (store.RowSum), which is checked
-- whenever they are read.
ALTER TABLE assets DROP COLUMN title;
ALTER TABLE assets DROP COLUMN current_version;
ALTER TABLE assets ADD COLUMN sum TEXT NOT NULL DEFAULT '';
UPDATE assets SET sum = row_sum('asset', id, name, kind, created_at);
CREATE INDEX assets_kind ON assets (kind, name);

ALTER TABLE versions ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN sum TEXT NOT NULL DEFAULT '';
UPDATE versions SET title = coalesce((
    SELECT CASE WHEN json_valid(r.body) THEN json_extract(r.body, '$.title') END FROM records r
    WHERE r.version_id = versions.id AND r.kind = 'card' AND r.superseded_at IS NULL), '');
UPDATE versions SET sum = (
    SELECT row_sum('version', versions.id, a.id, a.name, a.kind, digest, coalesce(number, 0), state, turn, versions.title,
        versions.created_at, created_by, row_count, byte_count)
    FROM assets a WHERE a.id = versions.asset_id);

ALTER TABLE records ADD COLUMN sum TEXT NOT NULL DEFAULT '';
UPDATE records SET sum = row_sum('record', version_id, kind, edition, format, digest, created_at, created_by, coalesce(superseded_at, 0));

ALTER TABLE lineage ADD COLUMN sum TEXT NOT NULL DEFAULT '';
UPDATE lineage SET sum = row_sum('lineage', child_id, parent_id);

-- The search index is kept per version, its postings packed: a row holds which of
-- 1,024 versions have a term (catalog/posting.go). It is derived, and filled again
-- from search_stale before the next search.
DROP TABLE search_terms;
DROP TABLE search_texts;
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

-- Blobs to remove because the version that needed them was purged, and what became
-- of each: waiting, removed, shared (with what note says).
CREATE TABLE purges (
    id         BIGINT PRIMARY KEY,
    version_id BIGINT NOT NULL REFERENCES versions (id),
    digest     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    note       TEXT   NOT NULL DEFAULT '',
    at         BIGINT NOT NULL,
    UNIQUE (version_id, digest)
);
CREATE INDEX purges_digest ON purges (digest, state);

-- +goose Down
DROP TABLE purges;
DROP TABLE search_stale;
DROP TABLE search_postings;
DROP TABLE search_texts;
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
ALTER TABLE lineage DROP COLUMN sum;
ALTER TABLE records DROP COLUMN sum;
ALTER TABLE versions DROP COLUMN sum;
ALTER TABLE versions DROP COLUMN title;
DROP INDEX assets_kind;
ALTER TABLE assets DROP COLUMN sum;
ALTER TABLE assets ADD COLUMN current_version BIGINT;
ALTER TABLE assets ADD COLUMN title TEXT NOT NULL DEFAULT '';
UPDATE assets SET current_version = (SELECT v.id FROM versions v WHERE v.asset_id = assets.id
    ORDER BY coalesce(v.number, 0) DESC, v.turn DESC LIMIT 1);
