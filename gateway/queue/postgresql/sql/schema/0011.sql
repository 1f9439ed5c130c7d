-- What counts against caps is changed once and then deleted, row by row: what is dead is cleared away
-- early, and on each page there is room for what changes.
ALTER TABLE use SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000);
ALTER TABLE charge SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE held SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
