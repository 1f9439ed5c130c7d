-- name: spent
SELECT name, amount FROM account WHERE tenant = %(tenant)s;

-- name: spent_by
SELECT account.name, amount FROM account
WHERE tenant = (SELECT id FROM tenant WHERE tenant.name = %(tenant)s);

-- name: add
INSERT INTO account (tenant, name, amount)
SELECT * FROM unnest(%(tenants)s::int4[], %(names)s::text[], %(amounts)s::int8[])
ON CONFLICT (tenant, name) DO UPDATE SET amount = account.amount + excluded.amount;

-- name: paid
SELECT message, name, amount FROM charge WHERE message = ANY(%(ids)s::int8[]);

-- name: over
SELECT id FROM finished WHERE id = ANY(%(ids)s::int8[]);

-- name: pay
INSERT INTO charge (message, name, tenant, amount)
SELECT * FROM unnest(%(ids)s::int8[], %(names)s::text[], %(tenants)s::int4[], %(amounts)s::int8[])
ON CONFLICT (message, name) DO UPDATE SET amount = excluded.amount;

-- name: done
DELETE FROM charge WHERE message = ANY(%(ids)s::int8[]);
