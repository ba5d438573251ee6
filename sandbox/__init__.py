"""A company in a box: CRM, ERP, customer success (CS), support and usage over HTTP.

An outside system: it imports nothing of ours.
"""
