-- What each node says of itself.
ALTER TABLE node ADD version text NOT NULL DEFAULT '', ADD config text NOT NULL DEFAULT '';
