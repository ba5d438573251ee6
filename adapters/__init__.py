"""The outside systems as our ports see them: one package per kind, one file per vendor."""
