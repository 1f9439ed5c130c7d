-- name: chunks
SELECT first, size, CASE WHEN EXISTS (SELECT FROM unnest(%(phones)s::bytea[]) AS phone
    WHERE position(phone IN body) > 0) THEN body END
FROM event WHERE tenant = %(tenant)s AND first > %(after)s ORDER BY first LIMIT %(limit)s;

-- name: rewrite
UPDATE event SET body = %(body)s WHERE tenant = %(tenant)s AND first = %(first)s;

-- name: lives
UPDATE finished SET life = NULL WHERE id = ANY(%(ids)s::int8[]);

-- name: keys
DELETE FROM key WHERE tenant = %(tenant)s AND name = ANY(%(names)s::bytea[]);

-- name: consents
DELETE FROM consent WHERE tenant = coalesce(%(tenant)s::int4, tenant)
AND number = ANY(%(phones)s::text[]) RETURNING 1;

-- name: uses
DELETE FROM use WHERE tenant = coalesce(%(tenant)s::int4, tenant)
AND number = ANY(%(phones)s::text[]) RETURNING 1;

-- name: failing
DELETE FROM failing WHERE tenant = coalesce(%(tenant)s::int4, tenant)
AND number = ANY(%(phones)s::text[]) RETURNING 1;

-- name: refusals
DELETE FROM refusal WHERE tenant = coalesce(%(tenant)s::int4, tenant)
AND number = ANY(%(octets)s::bytea[]) RETURNING 1;

-- name: held
DELETE FROM held WHERE EXISTS (SELECT FROM unnest(%(tails)s::bytea[]) AS tail
    WHERE position(tail IN key) > 0 OR position(tail IN body) > 0)
AND substr(key, 1, length(%(begun)s::bytea)) = %(begun)s::bytea RETURNING 1;

-- name: optouts
UPDATE optout SET message = NULL, text = NULL WHERE scope = coalesce(%(scope)s::text, scope)
AND number = ANY(%(phones)s::text[]);
