"""Adapters of the port ChangeFeed."""
