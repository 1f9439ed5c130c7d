-- name: shards
SELECT shard.number, shard.node,
    coalesce(node.clean OR node.until < clock_timestamp(), true), coalesce(node.clean, true), node.name,
    coalesce(node.receipts = node.token, false)
FROM shard LEFT JOIN node ON node.number = shard.node ORDER BY shard.number;

-- name: nodes
SELECT number, name, NOT clean AND until >= clock_timestamp(), version, config,
    (SELECT count(*) FROM shard WHERE shard.node = node.number),
    (SELECT notices FROM gateway) - heard, moved, ahead
FROM node WHERE name <> '' ORDER BY number;

-- name: clock
SELECT extract(epoch FROM clock_timestamp())::float8;

-- name: slots
SELECT node, carrier, count(*) FROM slot GROUP BY node, carrier ORDER BY carrier;

-- name: introduce
UPDATE node SET version = %(version)s, config = %(config)s, binds = %(binds)s,
    ahead = %(ahead)s WHERE number = %(me)s;

-- name: free
SELECT shard.number, node.number FROM shard LEFT JOIN node ON node.number = shard.node
WHERE node.number IS NULL OR (node.number <> %(me)s AND (node.clean OR node.until = '-infinity'
    OR (%(sure)s AND node.until < clock_timestamp())))
ORDER BY shard.number LIMIT %(limit)s FOR UPDATE OF shard SKIP LOCKED;

-- name: fence_off
UPDATE node SET token = token + 1, until = '-infinity'
WHERE number = ANY(%(nodes)s::int4[]) AND (clean OR until = '-infinity'
    OR (%(sure)s AND until < clock_timestamp())) RETURNING number;

-- name: fence_off_dead
UPDATE node SET token = token + 1, until = '-infinity'
WHERE number <> %(me)s AND NOT clean AND until < clock_timestamp();

-- name: take_held
WITH gone AS (SELECT number FROM node
    WHERE number <> %(me)s AND (clean OR until = '-infinity')),
back AS (UPDATE held SET node = -1 WHERE kind IN ('text', 'receipts') AND node IN (SELECT number FROM gone))
UPDATE held SET node = %(me)s WHERE shard IS NULL AND node IN (SELECT number FROM gone)
RETURNING kind, key, body, expires;

-- name: take_passed_on
UPDATE held SET node = %(me)s WHERE node = -1 AND shard = ANY(%(shards)s::int2[])
RETURNING kind, key, body, expires;

-- name: take
UPDATE shard SET node = %(me)s WHERE number = ANY(%(shards)s::int4[]);

-- name: leave
UPDATE shard SET node = NULL WHERE number = ANY(%(shards)s::int4[]) AND node = %(me)s;

-- name: leave_all
UPDATE shard SET node = NULL WHERE node = %(me)s;

-- name: vacate_all
DELETE FROM slot WHERE node = %(me)s;

-- name: arrive
INSERT INTO arrival (shards, lane, due)
SELECT * FROM unnest(%(shards)s::int8[], %(lanes)s::int4[], %(dues)s::float8[]);

-- name: arrived
WITH gone AS (DELETE FROM arrival WHERE shards & %(shards)s::int8 <> 0 RETURNING shards, lane, due),
others AS (INSERT INTO arrival (shards, lane, due) SELECT shards & ~%(shards)s::int8, lane, due
    FROM gone WHERE shards & ~%(shards)s::int8 <> 0)
SELECT tenant, category, route, campaign, min(due) FROM gone JOIN lane ON lane.id = gone.lane
GROUP BY tenant, category, route, campaign;

-- name: tick
SELECT (SELECT sum(seq)::int8 FROM tenant), (SELECT notices FROM gateway),
    EXISTS (SELECT FROM arrival WHERE shards & %(mine)s::int8 <> 0),
    EXISTS (SELECT FROM held WHERE node = -1 AND shard = ANY(%(shards)s::int2[])),
    (SELECT max(last_id) FROM node), md5(concat(
        (SELECT string_agg(concat_ws(' ', number, clean, until < clock_timestamp(), moved, binds), ','
            ORDER BY number) FROM node),
        (SELECT string_agg(coalesce(node::text, ''), ',' ORDER BY number) FROM shard),
        (SELECT string_agg(concat_ws(' ', carrier, number, node), ',' ORDER BY carrier, number)
            FROM slot))),
    (SELECT extract(epoch FROM min(until) - clock_timestamp())::float8 FROM node
        WHERE NOT clean AND until >= clock_timestamp());

-- name: notify
WITH next AS (UPDATE gateway SET notices = notices + 1 RETURNING notices)
INSERT INTO notice (number, kind, body) SELECT notices, %(kind)s, %(body)s FROM next RETURNING number;

-- name: notices
SELECT number, kind, body FROM notice WHERE number > %(after)s ORDER BY number;

-- name: forget_notices
DELETE FROM notice WHERE at < clock_timestamp() - interval '1 hour';

-- name: unheard_by_any
SELECT count(*) FROM node WHERE heard < %(number)s AND number <> %(me)s
AND NOT clean AND until <> '-infinity';

-- name: unheard
SELECT count(*) FROM node WHERE heard < %(number)s AND number <> %(me)s
AND NOT clean AND until >= clock_timestamp();
