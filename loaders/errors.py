"""Errors an operator can act on: their text is the whole message, shown without a stack trace."""

from __future__ import annotations


class RatehouseError(Exception):
    """Something a person has to put right. The message says what, where and what to do."""


class ConfigurationError(RatehouseError):
    """A setting (environment variable, option, configuration file) that cannot be used."""


class DatabaseUnavailable(RatehouseError):
    """There is no database to talk to, or it does not let us in."""


class MigrationError(RatehouseError):
    """The database cannot be brought to the shape this code needs."""


class ServerError(RatehouseError):
    """The embedded PostgreSQL server cannot be started or stopped."""
