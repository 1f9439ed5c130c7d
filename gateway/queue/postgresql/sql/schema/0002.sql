-- How a carrier that has a message got it.
ALTER TABLE message ADD COLUMN handed bytea;
