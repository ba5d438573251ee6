"""Temporal workflows: one file per workflow type or stage of it."""
