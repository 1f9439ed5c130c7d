-- History goes by dropping partitions. What there is becomes generation 0, of all ages: rows of it are
-- deleted one by one still, until there are none. Each table is read once, for the constraint.
CREATE TABLE generation (number int PRIMARY KEY, keys int NOT NULL, since float8 NOT NULL,
    keys_since float8 NOT NULL, newest float8);
INSERT INTO generation SELECT 1, 1, now, now, NULL FROM extract(epoch FROM clock_timestamp()) AS now;

ALTER TABLE event RENAME TO event_0;
ALTER INDEX event_pkey RENAME TO event_0_pkey;
ALTER INDEX event_at RENAME TO event_0_at_idx;
ALTER TABLE event_0 ADD generation int NOT NULL DEFAULT 0;
CREATE TABLE event (LIKE event_0 INCLUDING STORAGE) PARTITION BY RANGE (generation);
ALTER TABLE event ATTACH PARTITION event_0 FOR VALUES FROM (0) TO (1);
CREATE TABLE event_1 (LIKE event INCLUDING STORAGE, PRIMARY KEY (tenant, first));
CREATE INDEX ON event_1 (at);
ALTER TABLE event_1 ALTER generation SET DEFAULT 1;
ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM (1) TO (2);

ALTER TABLE finished RENAME TO finished_0;
ALTER INDEX finished_pkey RENAME TO finished_0_pkey;
ALTER TABLE finished_0 ADD generation int NOT NULL DEFAULT 0;
CREATE TABLE finished (LIKE finished_0 INCLUDING STORAGE) PARTITION BY RANGE (generation);
ALTER TABLE finished ATTACH PARTITION finished_0 FOR VALUES FROM (0) TO (1);
CREATE TABLE finished_1 (LIKE finished INCLUDING STORAGE, PRIMARY KEY (id));
ALTER TABLE finished_1 ALTER generation SET DEFAULT 1;
ALTER TABLE finished ATTACH PARTITION finished_1 FOR VALUES FROM (1) TO (2);

ALTER TABLE key RENAME TO key_0;
ALTER INDEX key_pkey RENAME TO key_0_pkey;
ALTER INDEX key_at RENAME TO key_0_at_idx;
ALTER TABLE key_0 ADD generation int NOT NULL DEFAULT 0;
CREATE TABLE key (LIKE key_0) PARTITION BY RANGE (generation);
ALTER TABLE key ATTACH PARTITION key_0 FOR VALUES FROM (0) TO (1);
CREATE TABLE key_1 (LIKE key, PRIMARY KEY (tenant, name));
ALTER TABLE key_1 ALTER generation SET DEFAULT 1;
ALTER TABLE key ATTACH PARTITION key_1 FOR VALUES FROM (1) TO (2);

-- Raises where the node's place is another's by now, and where it has written to a generation that is
-- not the newest any more; else puts on record that a transaction was made.
DROP FUNCTION fence(int, bigint, bigint, float8, bigint, float8, bigint);
CREATE FUNCTION fence(me int, mine bigint, made bigint, seconds float8, newest_id bigint,
    accepted float8, notices bigint, written int)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE node SET operation = made, until = clock_timestamp() + make_interval(secs => seconds),
        last_id = greatest(last_id, newest_id), last_accepted = greatest(last_accepted, accepted),
        heard = notices
        WHERE number = me AND token = mine;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'fenced' USING ERRCODE = 'SG001';
    END IF;
    IF NOT EXISTS (SELECT FROM generation WHERE number = written AND newest IS NULL) THEN
        RAISE EXCEPTION 'a generation that has ended' USING ERRCODE = 'SG002';
    END IF;
END $$;
