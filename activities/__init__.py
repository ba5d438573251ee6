"""Temporal activities, one class per kind of outside system, and the boundary that maps errors."""
