"""Adapters of the kind ERP, one file per vendor."""
