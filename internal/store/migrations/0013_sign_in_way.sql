-- +goose Up

-- What a provider told counts for credentials that began with its word alone: via is
-- the derived name of the person there ('': a password, or not known). told_officer
-- stays once a provider said that somebody is an officer.
ALTER TABLE tokens ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN told_via TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN told_officer BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET told_officer = 1 WHERE told_duties LIKE '%"officer"%';
-- Of accounts that were made at a first sign-in the derived name is known. The people of
-- others sign in again.
UPDATE accounts SET told_via = subject WHERE provider <> '' AND password = '' AND subject LIKE 'u-____________________'
    AND (SELECT count(*) FROM account_links l WHERE l.account_id = accounts.id) = 1;
UPDATE tokens SET via = coalesce((SELECT a.told_via FROM accounts a WHERE a.id = tokens.account_id), '');

-- +goose Down
ALTER TABLE accounts DROP COLUMN told_officer;
ALTER TABLE accounts DROP COLUMN told_via;
ALTER TABLE tokens DROP COLUMN via;
