-- name: match
SELECT carrier.name, ref, part, states, message.at, body, handed
FROM unnest(%(carriers)s::text[], %(refs)s::bytea[]) AS asked (name, wanted)
JOIN carrier ON carrier.name = asked.name
JOIN LATERAL (SELECT * FROM part WHERE part.carrier = carrier.id AND part.ref = asked.wanted LIMIT 1)
    AS part ON true
JOIN LATERAL (SELECT * FROM message WHERE message.id = part.message LIMIT 1) AS message ON true;

-- name: overdue
SELECT body, states, at, handed FROM message WHERE state = 2 AND due <= %(now)s
AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY due, id
LIMIT %(limit)s;

-- name: live
SELECT state, due, at, body, handed FROM message JOIN lane ON lane.id = message.lane
WHERE message.id = ANY(%(ids)s::int8[]) AND tenant = %(tenant)s;

-- name: finished
SELECT finished.seq, finished.id, tenant.id, life FROM finished JOIN tenant ON tenant.id = finished.tenant
WHERE finished.id = ANY(%(ids)s::int8[]) AND name = %(tenant)s ORDER BY finished.seq;

-- name: lives
SELECT id, life FROM finished WHERE id = ANY(%(ids)s::int8[]);

-- name: owner
SELECT tenant FROM message JOIN lane ON lane.id = message.lane WHERE message.id = %(id)s
UNION ALL
SELECT name FROM finished JOIN tenant ON tenant.id = finished.tenant WHERE finished.id = %(id)s
LIMIT 1;

-- name: chunks
SELECT first, size, event.body FROM event WHERE tenant = %(tenant)s AND first >= coalesce(
    (SELECT max(first) FROM event WHERE tenant = %(tenant)s AND first <= %(after)s::bigint + 1), 0)
AND first <= %(after)s::bigint + %(limit)s ORDER BY first;

-- name: tenant
SELECT id FROM tenant WHERE name = %(tenant)s;

-- name: seqs
SELECT name, seq FROM tenant;

-- name: bounds
SELECT coalesce((SELECT min(first) FROM event WHERE event.tenant = tenant.id), seq + 1), seq
FROM tenant WHERE name = %(tenant)s;

-- name: consumers
SELECT name, consumer, cursor.seq, since, seen FROM cursor JOIN tenant ON tenant.id = cursor.tenant
WHERE name = coalesce(%(tenant)s, name) ORDER BY name COLLATE "C", consumer;

-- name: opted_out
SELECT asked.number FROM unnest(%(numbers)s::text[]) AS asked (number),
    unnest(%(scopes)s::text[]) AS owner (scope),
    LATERAL (SELECT FROM optout
        WHERE optout.scope = owner.scope AND optout.number = asked.number LIMIT 1) AS held;

-- name: uses
SELECT number, marks, at, message, sent FROM use
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
AND number = ANY(%(numbers)s::text[]);

-- name: uses_some
SELECT 1 FROM use LIMIT 1;

-- name: optout_entries
SELECT owner.scope, asked.number, source, at, message, text
FROM unnest(%(numbers)s::text[]) AS asked (number), unnest(%(scopes)s::text[]) AS owner (scope),
    LATERAL (SELECT source, at, message, text FROM optout
        WHERE optout.scope = owner.scope AND optout.number = asked.number OFFSET 0) AS held;

-- name: optout_list
SELECT scope, number, source, at, message, text FROM optout WHERE scope = %(scope)s
AND number IN (SELECT DISTINCT number FROM optout WHERE scope = %(scope)s AND number > %(after)s
    ORDER BY number LIMIT %(limit)s) ORDER BY number;

-- name: optout_count
SELECT count(*) FROM optout;

-- name: optout_block
SELECT scope, number, source FROM optout WHERE (scope, number, source) >
    (%(scope)s, %(number)s, %(source)s) ORDER BY scope, number, source LIMIT %(limit)s;

-- name: oldest_waiting
SELECT tenant, category, min(due) FROM (SELECT tenant, category, least((SELECT min(due) FROM message
    WHERE message.lane = lane.id AND state = 0), (SELECT min(due) FROM backlog
    WHERE backlog.lane = lane.id)) AS due FROM lane) AS first
WHERE due <= %(now)s GROUP BY tenant, category;

-- name: oldest_sent
SELECT tenant, category, min(at) FROM (SELECT lane, at FROM message WHERE state = 2
    ORDER BY due, lane LIMIT %(limit)s) AS next JOIN lane ON lane.id = next.lane
GROUP BY tenant, category;

-- name: recall
SELECT value FROM memo WHERE name = %(name)s;

-- name: stat_start
SELECT min(hour) FROM stat WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
AND hour >= %(start)s AND hour < %(stop)s AND campaign = coalesce(%(campaign)s, campaign);

-- name: stats
SELECT hour, campaign, variant, coalesce(carrier.name, ''), code, count FROM stat
LEFT JOIN carrier ON carrier.id = stat.carrier
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
AND hour >= %(start)s AND hour < %(stop)s AND campaign = coalesce(%(campaign)s, campaign)
ORDER BY hour, campaign, variant, stat.carrier, code LIMIT %(limit)s;

-- name: lanes
SELECT tenant, category, route, campaign, sum(size)::int8, coalesce(sum(later), 0)::int8, min(due)
FROM (SELECT lane, count(*) AS size, count(*) FILTER (WHERE due > %(now)s) AS later, min(due) AS due
    FROM message WHERE state = 0 AND (%(shards)s::int8 >> shard) & 1 = 1 GROUP BY lane
    UNION ALL SELECT lane, sum(size), sum(size) FILTER (WHERE due > %(now)s), min(due)
    FROM (SELECT lane, due, of_shards(size, counts, shards, %(shards)s::int8) AS size FROM backlog
        WHERE shards & %(shards)s::int8 <> 0) AS mine GROUP BY lane) AS waiting
JOIN lane ON lane.id = waiting.lane GROUP BY tenant, category, route, campaign;

-- name: first_due
SELECT tenant, category, route, campaign, due FROM (SELECT lane.*, least(
    (SELECT due FROM message WHERE state = 0 AND message.lane = lane.id
        AND (%(shards)s::int8 >> shard) & 1 = 1 ORDER BY due LIMIT 1),
    (SELECT due FROM backlog WHERE backlog.lane = lane.id AND shards & %(shards)s::int8 <> 0
        ORDER BY due LIMIT 1)) AS due FROM lane) AS first WHERE due IS NOT NULL;

-- name: sent
SELECT tenant, category, count(*) FROM message JOIN lane ON lane.id = message.lane
WHERE state = 2 AND (%(shards)s::int8 >> shard) & 1 = 1 GROUP BY tenant, category;

-- name: leased
SELECT tenant, category, count(*) FROM message JOIN lane ON lane.id = message.lane
WHERE state = 1 AND (%(shards)s::int8 >> shard) & 1 = 1 GROUP BY tenant, category;

-- name: held
SELECT kind, key, body, expires FROM held WHERE kind = 'handover'
OR CASE WHEN shard IS NULL OR kind IN ('text', 'receipts') THEN node = %(node)s OR node >= %(nodes)s
    ELSE (%(shards)s::int8 >> shard) & 1 = 1 END;

-- name: held_of_shards
SELECT kind, key, body, expires FROM held WHERE (%(shards)s::int8 >> shard) & 1 = 1
AND kind NOT IN ('text', 'receipts', 'handover');

-- name: handed
SELECT key, expires FROM held WHERE kind = 'handover' AND key = ANY(%(keys)s::bytea[]);

-- name: held_texts
SELECT count(*) FROM held WHERE kind = 'text' AND key = ANY(%(keys)s::bytea[]);

-- name: waiting
SELECT tenant, category, route, campaign, lane, coalesce(sum(size) FILTER (WHERE due <= %(now)s), 0)::int8,
    coalesce(sum(size) FILTER (WHERE due > %(now)s), 0)::int8, count(*) FILTER (WHERE alone), min(due), min(due) FILTER (WHERE due > %(now)s)
FROM (SELECT lane, due, 1 AS size, true AS alone FROM message WHERE state = 0
    UNION ALL SELECT lane, due, size, false FROM backlog) AS waiting JOIN lane ON lane.id = waiting.lane
GROUP BY tenant, category, route, campaign, lane;

-- name: sample
SELECT body FROM message WHERE state = 0 AND lane = %(lane)s ORDER BY due LIMIT %(limit)s;

-- name: owed
SELECT body, states, message.at, handed FROM (SELECT message, part FROM part
    WHERE carrier = (SELECT id FROM carrier WHERE name = %(carrier)s) AND ref > %(after)s
    ORDER BY ref LIMIT %(limit)s) AS following
    JOIN message ON message.id = following.message
WHERE part = 0 AND state = 2 AND message.at < %(before)s AND expires > %(alive)s;

-- name: owed_count
SELECT count(*) FROM part JOIN message ON message.id = part.message
WHERE carrier = (SELECT id FROM carrier WHERE name = %(carrier)s) AND part = 0 AND state = 2
AND message.at < %(before)s AND expires > %(alive)s;

-- name: owed_about
SELECT count(*) FROM (SELECT FROM part JOIN message ON message.id = part.message
    WHERE carrier = (SELECT id FROM carrier WHERE name = %(carrier)s) AND part = 0 AND state = 2
    LIMIT %(most)s) AS owed;

-- name: owed_last
SELECT (SELECT ref FROM (SELECT ref FROM part
    WHERE carrier = (SELECT id FROM carrier WHERE name = %(carrier)s) AND ref > %(after)s
    ORDER BY ref LIMIT %(limit)s) AS following ORDER BY ref DESC LIMIT 1);

-- name: live_slice
SELECT id, state, due, at, CASE WHEN EXISTS (SELECT FROM unnest(%(phones)s::bytea[]) AS phone
    WHERE position(phone IN body) > 0) THEN body END
FROM message WHERE id < %(below)s ORDER BY id DESC LIMIT %(limit)s;

-- name: tenants
SELECT id, name FROM tenant ORDER BY id;

-- name: ended_slice
SELECT first, size, CASE WHEN EXISTS (SELECT FROM unnest(%(phones)s::bytea[]) AS phone
    WHERE position(phone IN body) > 0) THEN body END
FROM event WHERE tenant = %(tenant)s AND first < %(below)s ORDER BY first DESC LIMIT %(limit)s;

-- name: campaigns
WITH newest AS (SELECT tenant, campaign, min(hour) AS first, max(hour) AS last FROM stat
    WHERE campaign <> '' AND hour >= %(since)s AND tenant IN
    (SELECT id FROM tenant WHERE name = coalesce(%(tenant)s, name))
    GROUP BY tenant, campaign ORDER BY max(hour) DESC LIMIT %(limit)s)
SELECT tenant.name, campaign, code, sum(count)::int8, newest.first, newest.last
FROM newest JOIN stat USING (tenant, campaign) JOIN tenant ON tenant.id = stat.tenant
WHERE hour >= newest.first GROUP BY tenant.name, campaign, code, newest.first, newest.last;

-- name: counted_in
SELECT coalesce(carrier.name, ''), code, sum(count)::int8 FROM tenant
JOIN stat ON stat.tenant = tenant.id AND hour = %(hour)s
LEFT JOIN carrier ON carrier.id = stat.carrier GROUP BY carrier.name, code;

-- name: changes
SELECT id, at, body FROM audit WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s;
