-- How serious a log line is, in Python's numbers: 10 for debugging to 50 for critical. Lines that a
-- process wrote to its output have none.
ALTER TABLE log ADD COLUMN level BIGINT;
