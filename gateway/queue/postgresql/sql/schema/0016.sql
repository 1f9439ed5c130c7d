-- Nodes tell one another by how much their clocks are ahead of the database's.
ALTER TABLE node ADD ahead float8 NOT NULL DEFAULT 0;
