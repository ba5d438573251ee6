"""Time travel: a contract is lived through in seconds on the real server, against systems that only record."""
