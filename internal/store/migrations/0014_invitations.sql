-- +goose Up

-- Invitations to the federation, by the SHA-256 of their secrets. used_by is who joined
-- with one ("mit/" and the id of its message key), '-' where the change it asked for was
-- dropped: good once either way.
CREATE TABLE invitations (
    hash        TEXT PRIMARY KEY,
    institution TEXT NOT NULL,
    sector      TEXT NOT NULL,
    node        TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    made        TEXT NOT NULL,
    expires     BIGINT NOT NULL,
    used_by     TEXT NOT NULL DEFAULT ''
);

-- +goose Down
DROP TABLE invitations;
