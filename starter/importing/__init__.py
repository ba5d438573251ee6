"""Customers who were there before Tenure: read, checked, lived in shadow, compared with the old process, made live."""
