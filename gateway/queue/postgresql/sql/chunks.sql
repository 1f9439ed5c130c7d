-- name: insert_arrived
INSERT INTO arrived (node, number, lane, low, high, due, at, body)
SELECT %(node)s, * FROM unnest(%(numbers)s::int8[], %(lanes)s::int4[], %(lows)s::int8[],
    %(highs)s::int8[], %(dues)s::float8[], %(ats)s::float8[], %(bodies)s::bytea[]);

-- name: read_arrived
SELECT number, body FROM arrived WHERE node = %(node)s AND number = ANY(%(numbers)s::int8[]);

-- name: rewrite_arrived
UPDATE arrived SET body = new.body
FROM unnest(%(numbers)s::int8[], %(bodies)s::bytea[]) AS new (number, body)
WHERE node = %(node)s AND arrived.number = new.number;

-- name: insert_taken
INSERT INTO taken (node, number, at, body) VALUES (%(node)s, %(number)s, %(at)s, %(body)s);

-- name: delete_arrived
DELETE FROM arrived WHERE node = %(node)s AND number = ANY(%(numbers)s::int8[])
RETURNING due, at, body;

-- name: delete_taken
DELETE FROM taken WHERE node = %(node)s AND number = ANY(%(numbers)s::int8[]) RETURNING at, body;

-- name: first_arrived
SELECT number, length(body) FROM arrived WHERE node = %(node)s ORDER BY number LIMIT %(limit)s;

-- name: first_taken
SELECT number, length(body) FROM taken WHERE node = %(node)s ORDER BY number LIMIT %(limit)s;

-- name: left_arrived
DELETE FROM arrived USING node WHERE arrived.node = node.number AND node.number <> %(node)s
AND (clean OR until = '-infinity') RETURNING due, arrived.at, body;

-- name: left_taken
DELETE FROM taken USING node WHERE taken.node = node.number AND node.number <> %(node)s
AND (clean OR until = '-infinity') RETURNING at, body;

-- name: gone
SELECT id FROM finished WHERE id = ANY(%(ids)s::int8[])
UNION ALL SELECT id FROM message WHERE id = ANY(%(ids)s::int8[]);

-- name: not_sent
SELECT id FROM message WHERE id = ANY(%(ids)s::int8[]) AND state < 2;

-- name: part
INSERT INTO message (id, lane, shard, state, due, expires, at, body, handed)
SELECT * FROM unnest(%(ids)s::int8[], %(lanes)s::int4[], %(shards)s::int2[], %(places)s::int2[],
    %(dues)s::float8[], %(expires)s::float8[], %(ats)s::float8[], %(bodies)s::bytea[],
    %(handed)s::bytea[]) ON CONFLICT DO NOTHING;

-- name: telling
SELECT body FROM arrived WHERE EXISTS (SELECT FROM unnest(%(phones)s::bytea[]) AS phone
    WHERE position(phone IN body) > 0);

-- name: among_taken
SELECT at, body FROM taken WHERE EXISTS (SELECT FROM unnest(%(ids)s::bytea[]) AS id
    WHERE position(id IN body) > 0);
