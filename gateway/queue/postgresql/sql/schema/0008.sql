-- What counts has a row for each message, not for each thing that it counts as: ``marks`` has eight
-- octets for each of those.
CREATE TABLE use_2 (tenant int NOT NULL, number text COLLATE "C" NOT NULL, message bigint NOT NULL,
    marks bytea NOT NULL, at float8 NOT NULL, keep bigint NOT NULL, sent boolean NOT NULL,
    PRIMARY KEY (tenant, number, message));
INSERT INTO use_2 SELECT tenant, number, message, string_agg(int8send(mark), ''::bytea),
    max(at), max(keep), bool_or(sent) FROM use GROUP BY tenant, number, message;
DROP TABLE use;
ALTER TABLE use_2 RENAME TO use;
ALTER INDEX use_2_pkey RENAME TO use_pkey;
