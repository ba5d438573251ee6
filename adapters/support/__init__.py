"""Adapters of the kind support, one file per vendor."""
