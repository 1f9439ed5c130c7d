-- name: sent
UPDATE message SET state = 2, due = new.deadline, at = %(now)s, handed = new.handed
FROM unnest(%(ids)s::int8[], %(deadlines)s::float8[], %(handed)s::bytea[])
    AS new (id, deadline, handed)
WHERE message.id = new.id;

-- name: not_waiting
SELECT count(*) FROM message WHERE id = ANY(%(ids)s::int8[]) AND state <> 0;

-- name: wait_no_more
UPDATE message SET state = 1 WHERE id = ANY(%(ids)s::int8[]) AND state = 0;

-- name: marked
UPDATE message SET body = new.body
FROM unnest(%(ids)s::int8[], %(bodies)s::bytea[]) AS new (id, body) WHERE message.id = new.id;

-- name: parts
INSERT INTO part (carrier, ref, message, part, at)
SELECT *, %(now)s FROM unnest(%(carriers)s::int4[], %(refs)s::bytea[], %(ids)s::int8[],
    %(parts)s::int2[])
ON CONFLICT (carrier, ref) DO UPDATE SET message = excluded.message, part = excluded.part,
    at = excluded.at;

-- name: expected
UPDATE message SET states = new.states
FROM unnest(%(ids)s::int8[], %(states)s::bytea[]) AS new (id, states) WHERE message.id = new.id;

-- name: progress
WITH new AS (SELECT message.id, filled(coalesce(message.states, told.none), told.parts, told.came)
    AS states FROM unnest(%(ids)s::int8[], %(none)s::bytea[], %(parts)s::bytea[], %(came)s::bytea[])
    AS told (id, none, parts, came)
    JOIN message ON message.id = told.id FOR NO KEY UPDATE OF message)
UPDATE message SET states = new.states,
    due = CASE WHEN complete(new.states) THEN least(due, %(now)s) ELSE due END
FROM new WHERE message.id = new.id
RETURNING message.id, complete(new.states), new.states;

-- name: end
DELETE FROM message WHERE id = ANY(%(ids)s::int8[]) RETURNING id;

-- name: lock_seqs
SELECT id, seq FROM tenant WHERE id = ANY(%(tenants)s::int4[]) ORDER BY id FOR NO KEY UPDATE;

-- name: events
INSERT INTO {event} (tenant, first, size, at, body)
SELECT * FROM unnest(%(tenants)s::int4[], %(firsts)s::int8[], %(sizes)s::int4[],
    %(ats)s::float8[], %(bodies)s::bytea[]);

-- name: finished
INSERT INTO {finished} (id, tenant, seq, life)
SELECT * FROM unnest(%(ids)s::int8[], %(tenants)s::int4[], %(seqs)s::int8[], %(lives)s::bytea[])
ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, seq = excluded.seq, life = excluded.life;

-- name: seqs
UPDATE tenant SET seq = new.seq FROM unnest(%(tenants)s::int4[], %(seqs)s::int8[])
    AS new (id, seq) WHERE tenant.id = new.id;

-- name: forget_parts
DELETE FROM part WHERE ctid = ANY(ARRAY(SELECT found.ctid
    FROM unnest(%(carriers)s::int4[], %(refs)s::bytea[]) AS gone (carrier, ref)
    JOIN LATERAL (SELECT part.ctid FROM part WHERE part.carrier = gone.carrier
        AND part.ref = gone.ref LIMIT 1) AS found ON true));

-- name: hold
INSERT INTO held (kind, key, body, expires, shard, node)
SELECT kind, key, body, expires, nullif(shard, -1), CASE WHEN kind IN ('text', 'receipts') THEN -1 ELSE %(node)s END
FROM unnest(%(kinds)s::text[], %(keys)s::bytea[], %(bodies)s::bytea[], %(expires)s::float8[],
    %(shards)s::int2[]) AS new (kind, key, body, expires, shard)
ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, expires = excluded.expires,
    shard = excluded.shard, node = excluded.node;

-- name: make_held
INSERT INTO held (kind, key, body, expires, node)
SELECT %(kind)s, key, '', 'infinity', -2 FROM unnest(%(keys)s::bytea[]) AS new (key)
ON CONFLICT DO NOTHING;

-- name: lock_held
SELECT key, body FROM held WHERE kind = %(kind)s AND key = ANY(%(keys)s::bytea[])
ORDER BY key FOR NO KEY UPDATE;

-- name: revise
UPDATE held SET body = new.body, expires = %(expires)s
FROM unnest(%(keys)s::bytea[], %(bodies)s::bytea[]) AS new (key, body)
WHERE held.kind = %(kind)s AND held.key = new.key;

-- name: drop
DELETE FROM held WHERE ctid = ANY(ARRAY(SELECT found.ctid
    FROM unnest(%(kinds)s::text[], %(keys)s::bytea[]) AS gone (kind, key)
    JOIN LATERAL (SELECT held.ctid FROM held WHERE held.kind = gone.kind
        AND held.key = gone.key LIMIT 1) AS found ON true));

-- name: uses_sent
UPDATE use SET sent = true, at = %(now)s
FROM unnest(%(tenants)s::int4[], %(phones)s::text[], %(ids)s::int8[])
    AS new (tenant, number, message)
WHERE use.tenant = new.tenant AND use.number = new.number AND use.message = new.message
AND NOT use.sent;

-- name: uses_back
DELETE FROM use USING unnest(%(tenants)s::int4[], %(phones)s::text[], %(ids)s::int8[])
    AS gone (tenant, number, message)
WHERE use.tenant = gone.tenant AND use.number = gone.number AND use.message = gone.message
AND NOT use.sent;

-- name: count
INSERT INTO stat (tenant, hour, campaign, variant, carrier, code, count)
SELECT * FROM unnest(%(tenants)s::int4[], %(hours)s::int4[], %(campaigns)s::bytea[],
    %(variants)s::bytea[], %(carriers)s::int4[], %(codes)s::text[], %(counts)s::int8[])
ON CONFLICT (tenant, hour, campaign, variant, carrier, code)
    DO UPDATE SET count = stat.count + excluded.count;

-- name: optouts_of
SELECT asked.number, source, at FROM unnest(%(numbers)s::text[]) AS asked (number),
    LATERAL (SELECT source, at FROM optout
        WHERE scope = %(scope)s AND optout.number = asked.number OFFSET 0) AS held;

-- name: opt_out
INSERT INTO optout (scope, number, source, at, message, text)
SELECT * FROM unnest(%(scopes)s::text[], %(numbers)s::text[], %(sources)s::text[], %(ats)s::float8[],
    %(messages)s::text[], %(texts)s::bytea[]);

-- name: opt_in
DELETE FROM optout WHERE scope = %(scope)s AND source = %(source)s
AND number = ANY(%(numbers)s::text[]);

-- name: acknowledged
SELECT (SELECT seq FROM tenant WHERE id = %(tenant)s),
    (SELECT count(*) FROM cursor WHERE tenant = %(tenant)s),
    EXISTS (SELECT FROM cursor WHERE tenant = %(tenant)s AND consumer = %(consumer)s);

-- name: acknowledge
INSERT INTO cursor (tenant, consumer, seq, since, seen)
VALUES (%(tenant)s, %(consumer)s, %(seq)s, %(now)s, %(now)s)
ON CONFLICT (tenant, consumer) DO UPDATE SET seq = greatest(cursor.seq, excluded.seq),
    seen = excluded.seen RETURNING seq;

-- name: seen
UPDATE cursor SET seen = %(now)s FROM unnest(%(tenants)s::text[], %(consumers)s::bytea[])
    AS there (tenant, consumer) JOIN tenant ON tenant.name = there.tenant
WHERE cursor.tenant = tenant.id AND cursor.consumer = there.consumer;

-- name: forget_consumer
DELETE FROM cursor WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
AND consumer = %(consumer)s;

-- name: remember
INSERT INTO memo VALUES (%(name)s, %(value)s) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: note_change
INSERT INTO audit (id, at, body) VALUES (coalesce(%(number)s, nextval(
    pg_get_serial_sequence('audit', 'id'))), %(at)s, %(body)s)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, body = excluded.body RETURNING id;

-- name: forget_changes
DELETE FROM audit WHERE at < %(before)s;
