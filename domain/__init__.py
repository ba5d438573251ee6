"""The business: canonical model, contract terms, policies, ports, keys, errors. Pure: no I/O, no clock."""
