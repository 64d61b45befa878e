-- Its lines are in `log_line`.
DROP TABLE log;
