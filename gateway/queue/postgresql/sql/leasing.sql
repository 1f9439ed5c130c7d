-- name: due
WITH found AS MATERIALIZED (SELECT id, due FROM message
    WHERE state = 0 AND lane = %(lane)s AND due <= %(now)s
    AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY due, id LIMIT %(limit)s),
leased AS (UPDATE message SET state = 1 FROM found WHERE message.id = found.id
    RETURNING found.due, message.id, body)
SELECT body FROM leased ORDER BY due, id;

-- name: due_rows
SELECT due, id FROM message WHERE state = 0 AND lane = %(lane)s AND due <= %(now)s
AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY due, id LIMIT %(limit)s;

-- name: these
UPDATE message SET state = 1 WHERE id = ANY(%(ids)s::int8[]) AND state = 0 RETURNING body;

-- name: next_due
SELECT least((SELECT due FROM message WHERE state = 0 AND lane = %(lane)s
    AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY due LIMIT 1),
    (SELECT due FROM backlog WHERE lane = %(lane)s AND shards & %(shards)s::int8 <> 0
    ORDER BY due LIMIT 1));

-- name: ids
UPDATE message SET state = 1 FROM lane WHERE message.id = ANY(%(ids)s::int8[]) AND state = 0
AND lane.id = message.lane AND lane.tenant = %(tenant)s RETURNING body;

-- name: where
UPDATE message SET state = 1 WHERE id IN (SELECT message.id FROM lane JOIN message
    ON message.lane = lane.id WHERE state = 0 AND message.id <= %(last)s
    AND tenant = coalesce(%(tenant)s, tenant) AND campaign = coalesce(%(campaign)s, campaign)
    AND category = coalesce(%(category)s, category) AND route = coalesce(%(route)s, route)
    LIMIT %(limit)s) RETURNING body;

-- name: count_where
SELECT count(*) FROM lane JOIN message ON message.lane = lane.id
WHERE state = 0 AND message.id <= %(last)s
AND tenant = coalesce(%(tenant)s, tenant) AND campaign = coalesce(%(campaign)s, campaign)
AND category = coalesce(%(category)s, category) AND route = coalesce(%(route)s, route);

-- name: of_campaign
SELECT message.id, body FROM lane JOIN message ON message.lane = lane.id
WHERE state = 0 AND tenant = %(tenant)s AND campaign = %(campaign)s AND message.id > %(after)s
ORDER BY message.id LIMIT %(limit)s;

-- name: extend
UPDATE message SET expires = new.expires, body = new.body
FROM unnest(%(ids)s::int8[], %(expires)s::float8[], %(bodies)s::bytea[]) AS new (id, expires, body)
WHERE message.id = new.id AND state = 0;

-- name: expired
UPDATE message SET state = 1 WHERE id IN (SELECT id FROM message
    WHERE state = 0 AND expires <= %(now)s
    AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY expires LIMIT %(limit)s) RETURNING body;

-- name: defer
UPDATE message SET state = 0, lane = new.lane, due = new.due, at = %(now)s, body = new.body
FROM unnest(%(ids)s::int8[], %(lanes)s::int4[], %(dues)s::float8[], %(bodies)s::bytea[])
    AS new (id, lane, due, body)
WHERE message.id = new.id AND state + 0 = 1;

-- name: hasten
UPDATE message SET due = %(now)s WHERE id > %(start)s AND id <= %(stop)s
AND state = 0 AND due > %(now)s AND due <= at + %(moment)s;

-- name: block
SELECT max(id) FROM (SELECT id FROM message WHERE id > %(start)s ORDER BY id LIMIT %(limit)s)
    AS following;

-- name: leased
SELECT id, body FROM message WHERE state = 1 AND (%(shards)s::int8 >> shard) & 1 = 1
ORDER BY id LIMIT %(limit)s;

-- name: mark
UPDATE message SET state = 0, body = new.body, at = coalesce(%(now)s, at)
FROM unnest(%(ids)s::int8[], %(bodies)s::bytea[]) AS new (id, body) WHERE message.id = new.id;

-- name: unlease
UPDATE message SET state = 0 WHERE state = 1 AND (%(shards)s::int8 >> shard) & 1 = 1;

-- name: requeue
UPDATE message SET state = 0, due = %(now)s, at = %(now)s, body = new.body, states = NULL
FROM unnest(%(ids)s::int8[], %(bodies)s::bytea[]) AS new (id, body) WHERE message.id = new.id;

-- name: sent
SELECT id, body FROM message WHERE id = ANY(%(ids)s::int8[]) AND state = 2 ORDER BY id;

-- name: forget_parts_of
DELETE FROM part WHERE carrier = %(carrier)s AND message = ANY(%(ids)s::int8[]);

-- name: count_leased
SELECT count(*) FROM message WHERE state = 1 AND (%(shards)s::int8 >> shard) & 1 = 1;

-- name: leased_after
SELECT id FROM message WHERE state = 1 AND id > %(after)s
AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY id LIMIT %(limit)s;

-- name: among_leased
SELECT id, body FROM message WHERE id = ANY(%(ids)s::int8[]) AND state = 1 ORDER BY id;
