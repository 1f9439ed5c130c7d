-- What waits, as chunks: a row for messages of one lane that were accepted or put off together and are
-- due together. `shards` are the bits of those that they are of, `counts` has an octet for each of all
-- 64: how many they are of it. Leased, a chunk moves to `arrived`, with its time.
CREATE TABLE backlog (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lane int NOT NULL,
    shards bigint NOT NULL, counts bytea NOT NULL, size int NOT NULL, due float8 NOT NULL,
    expires float8 NOT NULL, at float8 NOT NULL, low bigint NOT NULL, high bigint NOT NULL,
    body bytea NOT NULL);
ALTER TABLE backlog ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX backlog_due ON backlog (lane, due, low);
CREATE INDEX backlog_expires ON backlog (expires);
CREATE INDEX backlog_ids ON backlog USING gist (int8range(low, high, '[]'));
ALTER TABLE backlog SET (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_cost_delay = 0);
ALTER TABLE arrived ADD due float8, ADD at float8;

-- How many of so many messages, which are counted by shard, are of some of these.
CREATE FUNCTION of_shards(size int, counts bytea, shards bigint, mask bigint) RETURNS int
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    found int := 0;
BEGIN
    IF shards & ~mask = 0 THEN
        RETURN size;
    END IF;
    FOR n IN 0 .. 63 LOOP
        IF ((shards & mask) >> n) & 1 = 1 THEN
            found := found + get_byte(counts, n);
        END IF;
    END LOOP;
    RETURN found;
END $$;

-- What has come is told to all that have some of its shards, at once.
ALTER TABLE arrival ADD shards bigint;
UPDATE arrival SET shards = 1::bigint << shard;
ALTER TABLE arrival ALTER shards SET NOT NULL, DROP shard;
