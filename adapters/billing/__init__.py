"""Billing systems that do an ERP's work for the contracts that are routed to them."""
