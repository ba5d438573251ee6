"""The benchmarks: what the way of events through the house takes and withstands. `make bench-events` runs them."""
