-- +goose Up
-- What copies owe to grants to a project ends with it.
CREATE INDEX policy_grants_project ON policy_grants (json_extract(body, '$.project'))
	WHERE revoked = 0 AND json_extract(body, '$.project') IS NOT NULL;

-- +goose Down
DROP INDEX policy_grants_project;
