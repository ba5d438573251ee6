"""Adapters of the kind customer success, one file per vendor."""
