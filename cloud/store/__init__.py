"""The cloud's PostgreSQL, its migrations and its keys."""
