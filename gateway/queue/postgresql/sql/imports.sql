-- name: import
SELECT size, rest, changed, marked FROM import
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s) AND import.name = %(name)s;

-- name: begin
INSERT INTO import AS i (tenant, name, at, size, rest, changed)
VALUES (%(tenant)s, %(name)s, %(now)s, 0, 0, 0)
ON CONFLICT (tenant, name) DO UPDATE SET at = excluded.at WHERE i.marked IS NULL;

-- name: stage
WITH added AS (INSERT INTO staged (tenant, name, part, size, body)
    SELECT tenant, name, %(part)s, %(size)s, %(body)s FROM import
    WHERE tenant = %(tenant)s AND name = %(name)s AND marked IS NULL
    ON CONFLICT DO NOTHING RETURNING size)
UPDATE import SET size = import.size + added.size, rest = rest + added.size FROM added
WHERE tenant = %(tenant)s AND name = %(name)s;

-- name: mark
UPDATE import SET marked = %(now)s, at = %(now)s
WHERE tenant = %(tenant)s AND name = %(name)s AND size = %(size)s AND marked IS NULL;

-- name: next_import
SELECT tenant.name, import.tenant, import.name FROM import JOIN tenant ON tenant.id = import.tenant
WHERE marked IS NOT NULL AND rest > 0 ORDER BY marked, import.tenant, import.name LIMIT 1;

-- name: next_staged
SELECT part, size, body FROM staged WHERE tenant = %(tenant)s AND name = %(name)s
ORDER BY part LIMIT 1;

-- name: take_staged
DELETE FROM staged WHERE tenant = %(tenant)s AND name = %(name)s AND part = %(part)s
RETURNING part;

-- name: carried_out
UPDATE import SET rest = rest - %(size)s, changed = changed + %(changed)s, at = %(now)s
WHERE tenant = %(tenant)s AND name = %(name)s;

-- name: forget_import
DELETE FROM import WHERE (tenant, name) IN (SELECT tenant, name FROM import
    WHERE at < %(before)s AND (marked IS NULL OR rest = 0) LIMIT 1 FOR UPDATE)
RETURNING tenant, name;

-- name: forget_staged
DELETE FROM staged WHERE tenant = %(tenant)s AND name = %(name)s;

-- name: notices
SELECT notices FROM gateway;
