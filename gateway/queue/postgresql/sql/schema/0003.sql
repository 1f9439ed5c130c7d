-- Several nodes share the storage: each has a row of its own, and some of the shards. The table keeps
-- its oid, by which a restored copy is known (`schema.mark`).

DROP FUNCTION fence(bigint, bigint, float8, bigint, float8);
DROP TABLE node;
ALTER TABLE hold RENAME TO node;
ALTER TABLE node DROP CONSTRAINT hold_id_check;
ALTER TABLE node RENAME COLUMN id TO number;
ALTER TABLE node RENAME COLUMN node TO name;
ALTER TABLE node ADD nodes smallint NOT NULL DEFAULT 1, ADD heard bigint NOT NULL DEFAULT 0;
UPDATE node SET number = 0;

-- Raises where the node's place is another's by now; else puts on record that a transaction was made.
CREATE FUNCTION fence(me int, mine bigint, made bigint, seconds float8, newest bigint,
    accepted float8, notices bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE node SET operation = made, until = clock_timestamp() + make_interval(secs => seconds),
        last_id = greatest(last_id, newest), last_accepted = greatest(last_accepted, accepted),
        heard = notices
        WHERE number = me AND token = mine;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'fenced' USING ERRCODE = 'SG001';
    END IF;
END $$;

CREATE TABLE shard (number int PRIMARY KEY, node int) WITH (fillfactor = 50);
INSERT INTO shard SELECT generate_series(0, 63);

-- Messages that a node has accepted for the shards of others: which lanes those are to look at.
CREATE TABLE arrival (shard smallint NOT NULL, lane int NOT NULL, due float8 NOT NULL);
CREATE INDEX arrival_shard ON arrival (shard);

-- What is known of the parts of a message, once nodes have heard different receipts: the latter says
-- what it knows, octet by octet.
CREATE FUNCTION merged(known bytea, told bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN known IS NULL OR length(known) <> length(told) THEN told ELSE
        (SELECT string_agg(substring(CASE WHEN get_byte(told, n) = 0 THEN known ELSE told END
            FROM n + 1 FOR 1), '' ORDER BY n) FROM generate_series(0, length(told) - 1) AS n) END
$$;

-- What a node keeps until its other half comes is its own.
ALTER TABLE held ADD node int NOT NULL DEFAULT 0;

-- What all nodes are to know, numbered in the order in which it became so.
ALTER TABLE gateway ADD notices bigint NOT NULL DEFAULT 0;
CREATE TABLE notice (number bigint PRIMARY KEY, kind text NOT NULL, body bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());

ALTER TABLE shard SET (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE gateway SET (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE arrival SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0);
