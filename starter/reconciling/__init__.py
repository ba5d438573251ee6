"""Reconciliation: every system read in pages, every contract compared, every difference kept, and repaired."""
