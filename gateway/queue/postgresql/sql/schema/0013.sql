-- The joins of `grants` are of as many rows on each side as there are rates that somebody wants: a thousand
-- of them took 45 ms as sessions have it, and take 8 where they may be hashed.
ALTER FUNCTION grants SET enable_hashjoin = on;
