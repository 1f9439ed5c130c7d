-- What is kept of a phone is the node's that sends to it. A node of -1 stands for whichever that is, until
-- it has taken it.
ALTER TABLE held ADD shard smallint;
CREATE INDEX held_given ON held (shard) WHERE node = -1;
