-- name: live
SELECT number, moved, binds FROM node WHERE NOT clean AND until >= clock_timestamp() ORDER BY number;

-- name: slots
SELECT carrier, slot.number, slot.node,
    coalesce(node.clean OR node.until < clock_timestamp(), true), coalesce(node.clean, true), node.name
FROM slot LEFT JOIN node ON node.number = slot.node ORDER BY carrier, slot.number;

-- name: take
INSERT INTO slot (carrier, number, node)
SELECT carrier, number, %(me)s FROM unnest(%(carriers)s::text[], %(numbers)s::int2[])
    AS new (carrier, number)
ON CONFLICT (carrier, number) DO UPDATE SET node = excluded.node
WHERE slot.node IN (SELECT number FROM node WHERE clean OR until = '-infinity')
RETURNING number;

-- name: vacate
DELETE FROM slot USING unnest(%(carriers)s::text[], %(numbers)s::int2[]) AS old (carrier, number)
WHERE slot.carrier = old.carrier AND slot.number = old.number AND slot.node = %(me)s;

-- name: grant
SELECT * FROM grants(%(me)s, %(names)s, %(wants)s, %(weights)s, %(uses)s, %(asks)s);

-- name: move
UPDATE node SET moved = %(away)s WHERE name = %(name)s;
