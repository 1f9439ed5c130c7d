-- name: spent
SELECT name, amount FROM account WHERE tenant = %(tenant)s;

-- name: spent_by
SELECT account.name, amount FROM account
WHERE tenant = (SELECT id FROM tenant WHERE tenant.name = %(tenant)s);

-- name: add
INSERT INTO account (tenant, name, amount)
SELECT %(tenant)s, * FROM unnest(%(names)s::text[], %(amounts)s::int8[])
ON CONFLICT (tenant, name) DO UPDATE SET amount = account.amount + excluded.amount;

-- name: charge
INSERT INTO charge (message, name, tenant, amount)
SELECT ids, names, %(tenant)s, amounts
FROM unnest(%(ids)s::int8[], %(names)s::text[], %(amounts)s::int8[]) AS new (ids, names, amounts);

-- name: adjust
WITH cost AS (SELECT * FROM unnest(%(ids)s::int8[], %(names)s::text[], %(amounts)s::int8[])
    AS new (message, name, amount)),
more AS (SELECT charge.tenant, charge.name, sum(cost.amount - charge.amount)::int8 AS amount
    FROM cost JOIN charge ON charge.message = cost.message AND charge.name = cost.name
    GROUP BY charge.tenant, charge.name),
added AS (UPDATE account SET amount = account.amount + more.amount FROM more
    WHERE account.tenant = more.tenant AND account.name = more.name)
UPDATE charge SET amount = cost.amount FROM cost
WHERE charge.message = cost.message AND charge.name = cost.name;

-- name: give_back
WITH less AS (SELECT tenant, name, sum(amount)::int8 AS amount FROM charge
    WHERE message = ANY(%(ids)s::int8[]) GROUP BY tenant, name)
UPDATE account SET amount = account.amount - less.amount FROM less
WHERE account.tenant = less.tenant AND account.name = less.name;

-- name: done
DELETE FROM charge WHERE message = ANY(%(ids)s::int8[]);

-- name: some
SELECT 1 FROM charge LIMIT 1;
