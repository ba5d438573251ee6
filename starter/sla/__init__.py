"""SLA clocks: what a sweep does when one is due, and what it tells."""
