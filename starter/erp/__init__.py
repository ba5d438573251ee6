"""The real ERP of the local stack: Tryton on PostgreSQL, from nothing but wheels, in an environment of its own."""
