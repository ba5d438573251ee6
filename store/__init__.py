"""Tenure's own store: tables, migrations and the small repositories over them. SQLite and PostgreSQL, one code path."""
