-- +goose Up

-- The program that could not use some statements of a log: another reads the log anew.
ALTER TABLE mirror_logs ADD COLUMN reader TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE mirror_logs DROP COLUMN reader;
