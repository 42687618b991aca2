-- +goose Up

-- How often somebody who may train on a version but not read it has done so.
CREATE TABLE unread_trainings (
    person  TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    spent   BIGINT NOT NULL,
    PRIMARY KEY (person, name, version)
);

-- +goose Down
DROP TABLE unread_trainings;
