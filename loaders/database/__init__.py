"""The warehouse's PostgreSQL: connections, migrations and the embedded server."""

from loaders.database.connection import connect, database_url, ensure_database
from loaders.database.migrator import migrate
from loaders.errors import DatabaseUnavailable

__all__ = ["DatabaseUnavailable", "connect", "database_url", "ensure_database", "migrate"]
