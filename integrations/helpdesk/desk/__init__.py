"""A minimal Django project around django-helpdesk, for live tests: SQLite; only the REST API is used."""
