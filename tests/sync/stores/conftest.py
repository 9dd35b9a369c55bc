"""The cloud's database for tests of the store that it uses."""

from tests.cloud.conftest import centre, database_url, postgres

__all__ = ["centre", "database_url", "postgres"]
