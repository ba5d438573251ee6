"""Decisions of the business as pure functions: the facts come in, the verdict and its reasons go out."""
