-- +goose Up

-- The member that showed evidence; '': it was seen here.
ALTER TABLE mirror_evidence ADD COLUMN told_by TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE mirror_evidence DROP COLUMN told_by;
