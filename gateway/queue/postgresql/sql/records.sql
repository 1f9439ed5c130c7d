-- name: consents
SELECT asked.number, n, purpose, state, at, source, wording, said_by
FROM unnest(%(numbers)s::text[]) AS asked (number),
    LATERAL (SELECT n, purpose, state, at, source, wording, said_by FROM consent
        WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
        AND consent.number = asked.number OFFSET 0) AS held
ORDER BY asked.number, n;

-- name: add_consent
INSERT INTO consent (tenant, number, n, purpose, state, at, source, wording, said_by)
SELECT * FROM unnest(%(tenants)s::int4[], %(numbers)s::text[], %(ns)s::int8[], %(purposes)s::bytea[],
    %(states)s::text[], %(ats)s::float8[], %(sources)s::bytea[], %(wordings)s::bytea[],
    %(bys)s::bytea[]);

-- name: drop_consents
DELETE FROM consent WHERE tenant = %(tenant)s AND number = %(number)s AND n <= %(n)s;

-- name: consent_list
SELECT number, n, purpose, state, at, source, wording, said_by FROM consent
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s) AND number IN
    (SELECT DISTINCT number FROM consent
    WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s) AND number > %(after)s
    ORDER BY number LIMIT %(limit)s) ORDER BY number, n;

-- name: withdrawals
SELECT DISTINCT number FROM consent WHERE state = 'withdrawn';

-- name: put_template
INSERT INTO template (tenant, name, version, at, body)
SELECT %(tenant)s, %(name)s, coalesce(max(version), 0) + 1, %(at)s, %(body)s FROM template
WHERE tenant = %(tenant)s AND name = %(name)s RETURNING version;

-- name: drop_templates
DELETE FROM template WHERE tenant = %(tenant)s AND name = %(name)s AND version <= %(version)s;

-- name: templates
SELECT tenant.name, newest.name, version, at, body FROM (SELECT DISTINCT ON (tenant, name) *
    FROM template ORDER BY tenant, name, version DESC) AS newest
JOIN tenant ON tenant.id = newest.tenant WHERE length(body) > 0
ORDER BY tenant.name COLLATE "C", newest.name;

-- name: template_changes
SELECT coalesce(sum(version), 0)::bigint FROM template;

-- name: template_versions
SELECT tenant.name, template.name, version, at, body FROM template
JOIN tenant ON tenant.id = template.tenant
WHERE tenant.name = %(tenant)s AND template.name = %(name)s ORDER BY version;

-- name: refuse
INSERT INTO refusal (tenant, number, key, at, code, rule, why, config)
VALUES (%(tenant)s, %(number)s, %(key)s, %(at)s, %(code)s, %(rule)s, %(why)s, %(config)s);

-- name: refusals
SELECT number, refusal.key, at, code, rule, why, config FROM refusal
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s)
AND refusal.key = ANY(%(keys)s::bytea[]) ORDER BY id;

-- name: refused_to
SELECT tenant.name, number, refusal.key, at, code, rule, why, config FROM tenant JOIN refusal
    ON refusal.tenant = tenant.id AND number = ANY(%(phones)s::bytea[])
ORDER BY refusal.id DESC LIMIT %(limit)s;

-- name: failing
SELECT number, times, until, expires FROM failing
WHERE tenant = %(tenant)s AND number = ANY(%(numbers)s::text[]);

-- name: put_failing
INSERT INTO failing (tenant, number, times, until, expires)
VALUES (%(tenant)s, %(number)s, %(times)s::float8[], %(until)s, %(expires)s)
ON CONFLICT (tenant, number) DO UPDATE SET times = excluded.times, until = excluded.until,
    expires = excluded.expires;

-- name: heard
DELETE FROM failing WHERE tenant = %(tenant)s AND number = ANY(%(numbers)s::text[]);

-- name: unreachable
SELECT number, until FROM failing
WHERE tenant = (SELECT id FROM tenant WHERE name = %(tenant)s) AND until > 0
AND number = ANY(%(numbers)s::text[]);

-- name: failing_some
SELECT 1 FROM failing LIMIT 1;
