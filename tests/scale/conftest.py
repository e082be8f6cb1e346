"""The demo month of the end-to-end tests, rated on one PostgreSQL."""

from tests.end_to_end.conftest import (
    copy_database_as_test,
    copy_warehouse,
    make_bare_warehouse,
    make_month,
    make_warehouse,
    month,
)

__all__ = [
    "copy_database_as_test",
    "copy_warehouse",
    "make_bare_warehouse",
    "make_month",
    "make_warehouse",
    "month",
]
