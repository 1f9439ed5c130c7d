-- name: messages
INSERT INTO message (id, lane, shard, state, due, expires, at, body)
SELECT * FROM unnest(%(ids)s::int8[], %(lanes)s::int4[], %(shards)s::int2[], %(states)s::int2[],
    %(dues)s::float8[], %(expires)s::float8[], %(ats)s::float8[], %(bodies)s::bytea[]);

-- name: keys
INSERT INTO {key} (tenant, name, message, digest, got, not_before, at)
SELECT * FROM unnest(%(tenants)s::int4[], %(names)s::bytea[], %(ids)s::int8[],
    %(digests)s::int8[], %(got)s::int4[], %(not_befores)s::float8[], %(ats)s::float8[])
    AS new (tenant, name, message, digest, got, not_before, at)
WHERE (tenant, name) NOT IN (SELECT tenant, name FROM key WHERE generation < {keys}
    AND tenant = ANY(%(tenants)s::int4[]) AND name = ANY(%(names)s::bytea[]))
ON CONFLICT DO NOTHING RETURNING message;

-- name: duplicates
DELETE FROM message WHERE id = ANY(%(ids)s::int8[]);

-- name: standing
SELECT key.name, key.message, digest, got, not_before
FROM unnest(%(tenants)s::int4[], %(names)s::bytea[]) AS asked (tenant, name)
JOIN key ON key.tenant = asked.tenant AND key.name = asked.name;

-- name: known
SELECT key.name, message, digest, got, not_before FROM key
WHERE tenant = (SELECT id FROM tenant WHERE tenant.name = %(tenant)s)
AND key.name = ANY(%(names)s::bytea[]);

-- name: counting
SELECT number, message FROM use WHERE tenant = %(tenant)s AND number = ANY(%(phones)s::text[]);

-- name: reserve
INSERT INTO use (tenant, number, message, marks, at, keep, sent)
SELECT *, false FROM unnest(%(tenants)s::int4[], %(phones)s::text[], %(ids)s::int8[],
    %(marks)s::bytea[], %(ats)s::float8[], %(keeps)s::int8[]);
