"""A contract told in words: the dated calendar of its terms, its billing and its cut-offs."""
