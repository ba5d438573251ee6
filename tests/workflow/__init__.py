"""Lifecycles on the real embedded server, in the production sandbox, against the box."""
