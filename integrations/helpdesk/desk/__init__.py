"""A minimal Django project around django-helpdesk, for live tests: SQLite, and of its ways in only the REST API is used."""
