-- What was accepted together and went straight to a lane of a node, and what carriers have taken there:
-- a row for many messages, which they leave when `finished` or `message` knows them.
CREATE TABLE arrived (node int NOT NULL, number bigint NOT NULL, lane int NOT NULL,
    low bigint NOT NULL, high bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (node, number));
CREATE TABLE taken (node int NOT NULL, number bigint NOT NULL, at float8 NOT NULL,
    body bytea NOT NULL, PRIMARY KEY (node, number));
ALTER TABLE arrived ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE taken ALTER COLUMN body SET STORAGE EXTERNAL;

ALTER TABLE arrived SET (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_cost_delay = 0);
ALTER TABLE taken SET (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_cost_delay = 0);
