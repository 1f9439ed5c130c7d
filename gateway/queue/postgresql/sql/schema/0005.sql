-- Receipts for the parts of a message, which nodes have heard one each: the first one for a part counts,
-- and where parts share an id (254), another one is for the next of them; see `gateway.queue.parts`.
CREATE FUNCTION filled(known bytea, parts bytea, came bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part int;
BEGIN
    FOR n IN 0 .. length(parts) - 1 LOOP
        part := get_byte(parts, n);
        IF get_byte(known, part) <> 0 THEN
            part := position('\xfe'::bytea IN known) - 1;
        END IF;
        IF part >= 0 THEN
            known := set_byte(known, part, get_byte(came, n));
        END IF;
    END LOOP;
    RETURN known;
END $$;

-- Whether every receipt that is owed has come.
CREATE FUNCTION complete(states bytea) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT position('\x00'::bytea IN states) = 0 AND position('\xfe'::bytea IN states) = 0
$$;
