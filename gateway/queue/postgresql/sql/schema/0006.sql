-- Nodes share the binds of carriers, which are slots, and rates; and one may be told to have none.

ALTER TABLE node ADD binds text NOT NULL DEFAULT '{}', ADD moved boolean NOT NULL DEFAULT false;

-- Who has which bind: a slot that nobody has is not here.
CREATE TABLE slot (carrier text NOT NULL, number smallint NOT NULL, node int NOT NULL,
    PRIMARY KEY (carrier, number)) WITH (fillfactor = 50);

-- Of what is one rate over all nodes: what a node wants, by which weight, and has at most.
CREATE TABLE granted (name text NOT NULL, node int NOT NULL, want float8 NOT NULL,
    weight float8 NOT NULL, held float8 NOT NULL, PRIMARY KEY (name, node)) WITH (fillfactor = 50);
ALTER TABLE granted SET (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Tells what a node wants, and gives what all have that is wanted by anybody. More than is left by
-- the others a node is not given; what it goes by until it hears of this, it has still. The commit
-- waits for no disk: what a crash takes back is told again within a moment. The table is too lively
-- for statistics, and without them the joins would be loops.
CREATE FUNCTION grants(me int, names text[], wants float8[], weights float8[], uses float8[],
    asks float8[])
RETURNS SETOF granted LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    IF cardinality(names) > 0 THEN
        PERFORM set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(1398625133);
        WITH others AS (SELECT granted.name, sum(held) AS held
            FROM granted JOIN node ON node.number = granted.node
            WHERE granted.node <> me AND NOT node.clean AND node.until >= clock_timestamp()
            GROUP BY granted.name)
        INSERT INTO granted AS mine
        SELECT told.name, me, told.want, told.weight,
            greatest(told.used, least(told.ask, 1 - coalesce(others.held, 0)))
        FROM unnest(names, wants, weights, uses, asks) AS told (name, want, weight, used, ask)
        LEFT JOIN others ON others.name = told.name
        ON CONFLICT ON CONSTRAINT granted_pkey DO UPDATE
        SET want = excluded.want, weight = excluded.weight, held = excluded.held
        WHERE (mine.want, mine.weight, mine.held)
            IS DISTINCT FROM (excluded.want, excluded.weight, excluded.held);
    END IF;
    RETURN QUERY SELECT granted.* FROM granted JOIN node ON node.number = granted.node
    WHERE NOT node.clean AND node.until >= clock_timestamp() AND granted.name IN
        (SELECT unnest(names) UNION SELECT other.name FROM granted AS other WHERE other.want > 0);
END $$;
