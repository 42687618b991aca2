-- +goose Up

-- Whether a project has ended: those who were in it then still see it.
ALTER TABLE abroad_members ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
CREATE INDEX abroad_members_project ON abroad_members (peer, project);

-- Orders that were taken back before they came, of which a node may have so many.
CREATE INDEX run_orders_early ON run_orders (node) WHERE asker = '';

-- +goose Down
DROP INDEX run_orders_early;
DROP INDEX abroad_members_project;
ALTER TABLE abroad_members DROP COLUMN ended;
