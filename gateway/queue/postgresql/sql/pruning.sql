-- name: forget_consumers
DELETE FROM cursor WHERE seen < %(before)s;

-- name: used_lanes
SELECT DISTINCT lane FROM message UNION SELECT lane FROM arrived UNION SELECT lane FROM backlog;

-- name: forget_lanes
DELETE FROM lane WHERE id = ANY(%(lanes)s::int4[]);

-- name: lock_lanes
SELECT lane.id FROM unnest(%(lanes)s::int4[], %(versions)s::text[]) AS seen (id, version)
JOIN lane ON lane.id = seen.id AND lane.xmin::text = seen.version
ORDER BY lane.id FOR UPDATE OF lane;

-- name: forget_unused_lanes
DELETE FROM lane WHERE id = ANY(%(lanes)s::int4[])
AND id NOT IN (SELECT lane FROM message UNION ALL SELECT lane FROM arrived
    UNION ALL SELECT lane FROM backlog);

-- name: forget_parts
WITH old AS MATERIALIZED (SELECT carrier, ref FROM part WHERE at < %(before)s
    AND NOT EXISTS (SELECT FROM message WHERE message.id = part.message) LIMIT %(limit)s)
DELETE FROM part USING old WHERE part.carrier = old.carrier AND part.ref = old.ref;

-- name: forget_uses
WITH old AS MATERIALIZED (SELECT tenant, number, message FROM use
    WHERE sent AND at + keep < %(now)s LIMIT %(limit)s)
DELETE FROM use USING old WHERE use.tenant = old.tenant AND use.number = old.number
AND use.message = old.message;

-- name: forget_stats
DELETE FROM stat WHERE hour < %(before)s;

-- name: forget_failing
DELETE FROM failing WHERE (tenant, number) IN
    (SELECT tenant, number FROM failing WHERE expires < %(now)s LIMIT %(limit)s);

-- name: forget_refusals
DELETE FROM refusal WHERE id IN (SELECT id FROM refusal ORDER BY id LIMIT %(limit)s)
AND (at < %(before)s OR id <= (SELECT max(id) FROM refusal) - %(most)s);

-- name: forget_ranges
DELETE FROM held WHERE (kind, key) IN (SELECT kind, key FROM held
    WHERE node = -2 AND expires < %(now)s LIMIT %(limit)s);
