-- name: tables
SELECT coalesce(whole.relname, found.relname),
    coalesce(sum(pg_total_relation_size(relid)), 0)::int8, sum(n_dead_tup)::int8
FROM pg_stat_user_tables AS found LEFT JOIN pg_inherits ON inhrelid = relid
LEFT JOIN pg_class AS whole ON whole.oid = inhparent
WHERE schemaname = current_schema() GROUP BY 1;

-- name: oldest_transaction
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(began)), 0) FROM (
    SELECT xact_start FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()
    UNION ALL SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()
) AS open (began);

-- name: standbys
SELECT application_name, max(pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn))::float8
FROM pg_stat_replication GROUP BY application_name;
