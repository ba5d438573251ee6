"""Adapters of the kind usage, one file per vendor."""
