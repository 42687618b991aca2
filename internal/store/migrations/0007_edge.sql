-- +goose Up

-- Answers to requests that came with an Idempotency-Key. claim is a digest of
-- person, credential, route and key; request one of what was asked. body is
-- base64, NULL where the answer is not kept.
CREATE TABLE idempotency (
    claim        TEXT   PRIMARY KEY,
    person       TEXT   NOT NULL,
    request      TEXT   NOT NULL,
    status       BIGINT NOT NULL,
    content_type TEXT   NOT NULL,
    location     TEXT   NOT NULL,
    body         TEXT,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX idempotency_person ON idempotency (person, expires_at);
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- Upload sessions. byte_offset is how many bytes are on the disk for certain:
-- their file was synced before the number was written. hash_state is that of
-- SHA-256 after these bytes, base64.
CREATE TABLE uploads (
    id          TEXT   PRIMARY KEY,
    person      TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    byte_size   BIGINT,
    sha256      TEXT   NOT NULL,
    byte_offset BIGINT NOT NULL,
    hash_state  TEXT   NOT NULL,
    complete    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX uploads_person ON uploads (person, created_at);
CREATE INDEX uploads_expiry ON uploads (expires_at);

-- +goose Down
DROP TABLE uploads;
DROP TABLE idempotency;
