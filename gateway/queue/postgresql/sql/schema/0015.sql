-- Imports that hold all or not at all, and their changes until they do: `marked` is when it was said that all
-- are to hold, `rest` how many do not yet.
CREATE TABLE import (tenant int NOT NULL, name bytea NOT NULL, at float8 NOT NULL, size int NOT NULL,
    rest int NOT NULL, changed int NOT NULL, marked float8, PRIMARY KEY (tenant, name));
CREATE TABLE staged (tenant int NOT NULL, name bytea NOT NULL, part bigint NOT NULL, size int NOT NULL,
    body bytea NOT NULL, PRIMARY KEY (tenant, name, part));
ALTER TABLE staged ALTER COLUMN body SET STORAGE EXTERNAL;
