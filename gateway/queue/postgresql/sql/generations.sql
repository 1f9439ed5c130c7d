-- The keys of messages without an outcome are not forgotten: wherever such messages are is asked by
-- `all_old`, `keep_keys` and `forget_keys`.

-- name: current
SELECT number, keys, since, keys_since FROM generation WHERE newest IS NULL;

-- name: lock_current
SELECT number, keys, since, keys_since FROM generation WHERE newest IS NULL FOR UPDATE;

-- name: used
SELECT EXISTS (SELECT FROM {event}) OR EXISTS (SELECT FROM {key});

-- name: touch
UPDATE generation SET since = %(now)s,
    keys_since = CASE WHEN keys = number THEN %(now)s ELSE keys_since END WHERE newest IS NULL;

-- name: hurry
SET LOCAL lock_timeout = '300ms';

-- name: make
DO $$ BEGIN
    CREATE TABLE event_{made} (LIKE event INCLUDING STORAGE, PRIMARY KEY (tenant, first));
    CREATE INDEX ON event_{made} (at);
    ALTER TABLE event_{made} ALTER generation SET DEFAULT {made};
    ALTER TABLE event ATTACH PARTITION event_{made} FOR VALUES FROM ({made}) TO ({made} + 1);
    CREATE TABLE finished_{made} (LIKE finished INCLUDING STORAGE, PRIMARY KEY (id));
    ALTER TABLE finished_{made} ALTER generation SET DEFAULT {made};
    ALTER TABLE finished ATTACH PARTITION finished_{made} FOR VALUES FROM ({made}) TO ({made} + 1);
END $$;

-- name: make_keys
DO $$ BEGIN
    CREATE TABLE key_{made} (LIKE key, PRIMARY KEY (tenant, name));
    ALTER TABLE key_{made} ALTER generation SET DEFAULT {made};
    ALTER TABLE key ATTACH PARTITION key_{made} FOR VALUES FROM ({made}) TO ({made} + 1);
END $$;

-- name: end
LOCK TABLE {key}, {event}, {finished} IN SHARE MODE;

-- name: close
UPDATE generation SET newest = least(
    greatest((SELECT max(at) FROM {event}), (SELECT max(last_accepted) FROM node)),
    greatest(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8))
WHERE newest IS NULL;

-- name: begin
INSERT INTO generation (number, keys, since, keys_since, newest)
VALUES (%(number)s, %(keys)s, %(since)s, %(keys_since)s, NULL);

-- name: all_old
SELECT CASE WHEN (SELECT max(last_accepted) FROM node) < %(before)s
    AND coalesce((SELECT max(at) FROM {event}) < %(before)s, true)
    THEN EXISTS (SELECT FROM {event}) OR EXISTS (SELECT FROM {key} AS key
        WHERE NOT EXISTS (SELECT FROM message WHERE message.id = key.message)
        AND NOT EXISTS (SELECT FROM backlog WHERE int8range(low, high, '[]') @> key.message)
        AND NOT EXISTS (SELECT FROM arrived WHERE key.message BETWEEN low AND high)) ELSE false END;

-- name: oldest
SELECT number, keys, (SELECT count(*) FROM generation AS other WHERE other.keys = generation.keys) = 1
FROM generation WHERE newest < %(before)s ORDER BY number LIMIT 1;

-- name: key_pages
SELECT pg_relation_size('key_{old}') / current_setting('block_size')::int;

-- name: keep_keys
WITH old AS MATERIALIZED (SELECT tenant, name, message FROM key_{old}
    WHERE ctid >= format('(%%s,0)', %(start)s::int8)::tid
    AND ctid < format('(%%s,0)', %(stop)s::int8)::tid),
live AS MATERIALIZED (SELECT id FROM message
    WHERE id = ANY(ARRAY(SELECT message FROM old)) FOR KEY SHARE),
chunked AS (SELECT message FROM old
    WHERE EXISTS (SELECT FROM backlog WHERE int8range(low, high, '[]') @> old.message)
    OR EXISTS (SELECT FROM arrived WHERE old.message BETWEEN low AND high)),
moved AS (DELETE FROM key_{old} AS key USING old
    WHERE old.message IN (SELECT id FROM live UNION ALL SELECT message FROM chunked)
    AND key.tenant = old.tenant AND key.name = old.name
    RETURNING key.tenant, key.name, key.message, digest, not_before, at, got)
INSERT INTO {key} (tenant, name, message, digest, not_before, at, got)
SELECT * FROM moved ON CONFLICT DO NOTHING;

-- name: drop
DO $$ BEGIN DROP TABLE event_{old}, finished_{old}; END $$;

-- name: drop_keys
DO $$ BEGIN DROP TABLE key_{old}; END $$;

-- name: forget
DELETE FROM generation WHERE number = %(number)s RETURNING number;

-- name: first_kept
SELECT name, coalesce((SELECT min(first) FROM event WHERE event.tenant = tenant.id), seq + 1)
FROM tenant;

-- name: old_events
SELECT tenant.name, event.tenant, first, size, body FROM event_0 AS event
JOIN tenant ON tenant.id = event.tenant WHERE at < %(before)s ORDER BY at LIMIT %(limit)s;

-- name: forget_events
DELETE FROM event_0 USING unnest(%(tenants)s::int4[], %(firsts)s::int8[]) AS old (tenant, first)
WHERE event_0.tenant = old.tenant AND event_0.first = old.first;

-- name: forget_finished
DELETE FROM finished_0 WHERE id = ANY(%(ids)s::int8[]);

-- name: forget_keys
WITH old AS MATERIALIZED (SELECT tenant, name FROM key_0 WHERE at < %(before)s
    AND NOT EXISTS (SELECT FROM message WHERE message.id = key_0.message)
    AND NOT EXISTS (SELECT FROM backlog WHERE int8range(low, high, '[]') @> key_0.message)
    AND NOT EXISTS (SELECT FROM arrived WHERE key_0.message BETWEEN low AND high) LIMIT %(limit)s)
DELETE FROM key_0 USING old WHERE key_0.tenant = old.tenant AND key_0.name = old.name;

-- name: emptied
SELECT pg_relation_size('event_0') + pg_relation_size('key_0') > 0
AND NOT EXISTS (SELECT FROM event_0) AND NOT EXISTS (SELECT FROM key_0);

-- name: empty
TRUNCATE event_0, finished_0, key_0;
