-- +goose Up

-- What is of this node is more urgent than what another takes back.
UPDATE found_queue SET urgency = 2 WHERE node = '' AND urgency = 1;

-- +goose Down
UPDATE found_queue SET urgency = 1 WHERE urgency = 2;
