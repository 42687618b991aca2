-- +goose Up

-- That somebody asks to be vetted changes nothing of what an officer found before.
ALTER TABLE accounts ADD COLUMN vetting_asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN vetting_ask   TEXT   NOT NULL DEFAULT '';
UPDATE accounts SET vetting_asked = vetted_at, vetting_ask = vetting_note, vetting = '', vetted_by = '', vetted_at = 0, vetting_note = ''
    WHERE vetting = 'requested';

-- +goose Down
UPDATE accounts SET vetting = 'requested', vetted_at = vetting_asked, vetting_note = vetting_ask WHERE vetting = '' AND vetting_asked <> 0;
ALTER TABLE accounts DROP COLUMN vetting_ask;
ALTER TABLE accounts DROP COLUMN vetting_asked;
