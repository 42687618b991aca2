-- +goose Up

-- Pages end in checksums now. A program that knows of none would write pages without:
-- the number keeps it from opening the database.
SELECT 1;

-- +goose Down
SELECT 1;
