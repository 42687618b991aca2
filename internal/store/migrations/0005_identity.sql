-- +goose Up

-- People and services whose home this node is. Columns in the third group are
-- what a provider last said, and hold until told_until.
CREATE TABLE accounts (
    id               BIGINT PRIMARY KEY,
    subject          TEXT   NOT NULL UNIQUE,
    name             TEXT   NOT NULL,
    email            TEXT   NOT NULL,
    service          BIGINT NOT NULL,
    disabled         BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL DEFAULT 0,

    duties           TEXT   NOT NULL,
    citizenship      TEXT   NOT NULL DEFAULT '',
    student          BIGINT NOT NULL DEFAULT 0,
    vetting          TEXT   NOT NULL DEFAULT '',
    vetted_by        TEXT   NOT NULL DEFAULT '',
    vetted_at        BIGINT NOT NULL DEFAULT 0,
    vetted_until     BIGINT NOT NULL DEFAULT 0,
    vetting_note     TEXT   NOT NULL DEFAULT '',

    provider         TEXT   NOT NULL DEFAULT '',
    told_groups      TEXT   NOT NULL DEFAULT '[]',
    told_duties      TEXT   NOT NULL DEFAULT '[]',
    told_citizenship TEXT   NOT NULL DEFAULT '',
    told_student     BIGINT NOT NULL DEFAULT 0,
    told_vetted      BIGINT NOT NULL DEFAULT 0,
    told_until       BIGINT NOT NULL DEFAULT 0,

    password         TEXT   NOT NULL DEFAULT '',
    totp             TEXT   NOT NULL DEFAULT '',
    totp_confirmed   BIGINT NOT NULL DEFAULT 0,
    totp_step        BIGINT NOT NULL DEFAULT 0
);

-- Who somebody is at a provider: its issuer, and its stable name for them.
CREATE TABLE account_links (
    issuer     TEXT   NOT NULL,
    outside    TEXT   NOT NULL,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, outside)
);
CREATE INDEX account_links_account ON account_links (account_id);

-- What is used instead of a second factor that was lost. Each is used once.
CREATE TABLE recovery_codes (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    hash       TEXT   NOT NULL,
    PRIMARY KEY (account_id, hash)
);

-- Sessions and tokens. hash is the SHA-256 of the secret, which is kept nowhere.
-- scopes and duties are ceilings; NULL: none. maker is the token that made this
-- one, and takes it along when it is revoked. signed_in_at is when the person had
-- last proved who they are.
CREATE TABLE tokens (
    id           TEXT   PRIMARY KEY,
    hash         TEXT   NOT NULL UNIQUE,
    account_id   BIGINT NOT NULL REFERENCES accounts (id),
    kind         TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    scopes       TEXT,
    duties       TEXT,
    assurance    TEXT   NOT NULL,
    maker        TEXT   REFERENCES tokens (id),
    signed_in_at BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    idle         BIGINT NOT NULL,
    used_at      BIGINT NOT NULL,
    revoked_at   BIGINT
);
CREATE INDEX tokens_account ON tokens (account_id, created_at);
CREATE INDEX tokens_maker ON tokens (maker);
CREATE INDEX tokens_expires ON tokens (expires_at);

-- +goose Down
DROP TABLE tokens;
DROP TABLE recovery_codes;
DROP TABLE account_links;
DROP TABLE accounts;
