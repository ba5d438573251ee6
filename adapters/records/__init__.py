"""Lists of what a vendor's system holds, for reconciliation; and how a record there is set right."""
