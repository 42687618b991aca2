-- +goose Up

-- Sessions of people, and nodes, of other nodes. hash is the SHA-256 of the session's
-- secret; proof, sealed, that with which its requests are signed ('': a narrow bearer).
-- line is what sessions share that renew one another; said is what the home vouched for,
-- as JSON of a format; jti the id of its token, by which the journal knows the session.
CREATE TABLE guests (
    hash       TEXT   PRIMARY KEY,
    node       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    jti        TEXT   NOT NULL,
    line       TEXT   NOT NULL,
    proof      TEXT   NOT NULL,
    format     BIGINT NOT NULL,
    said       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (node, jti)
);
CREATE INDEX guests_line ON guests (line, expires_at);
CREATE INDEX guests_person ON guests (node, subject, created_at);
CREATE INDEX guests_created ON guests (created_at);

-- Ids of tokens that were exchanged, until the tokens expire.
CREATE TABLE guest_tokens (
    node       TEXT   NOT NULL,
    jti        TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (node, jti)
);
CREATE INDEX guest_tokens_expires ON guest_tokens (expires_at);

-- +goose Down
DROP TABLE guest_tokens;
DROP TABLE guests;
