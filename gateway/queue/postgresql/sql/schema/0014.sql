-- Nodes hand receipts to the node that sends to the phone. One of a version that does not take them
-- says nothing here: what is under an earlier token was said by whoever had the number before.

ALTER TABLE node ADD receipts bigint NOT NULL DEFAULT -1;
