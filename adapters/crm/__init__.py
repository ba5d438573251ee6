"""Adapters of the kind CRM, one file per vendor."""
