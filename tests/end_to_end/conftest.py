"""Warehouses for the whole way from file to invoice; the demo month is rated once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loaders.demo.generate import DemoOptions, generate
from loaders.settings import connection_parameters
from tests.end_to_end.warehouse import Warehouse
from tests.servers import copy_database, drop_database


@dataclass(frozen=True)
class Month:
    """A warehouse that has rated and billed a generated month, and the month's folder."""

    warehouse: Warehouse
    folder: Path
    control_totals: dict
    checksums: dict[str, str]


@pytest.fixture(scope="session")
def make_warehouse(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Warehouse]:
    """A function that makes an empty warehouse."""

    def make() -> Warehouse:
        return Warehouse(make_database(), tmp_path_factory.mktemp("dbt"))

    return make


@pytest.fixture(scope="module")
def warehouse(make_warehouse: Callable[[], Warehouse]) -> Warehouse:
    """An empty warehouse of a module's own."""
    return make_warehouse()


@pytest.fixture(scope="session")
def copy_warehouse(
    make_warehouse: Callable[[], Warehouse], server_url: str
) -> Callable[[Warehouse], Warehouse]:
    """A function that copies a warehouse with all it holds: quicker than rating it again."""

    def copy(original: Warehouse) -> Warehouse:
        twin = make_warehouse()
        drop_database(server_url, twin.url)
        url = copy_database(
            server_url,
            connection_parameters(original.url)["dbname"],
            connection_parameters(twin.url)["dbname"],
        )
        shutil.copytree(original.target, twin.target, dirs_exist_ok=True)
        assert twin.url == url
        return twin

    return copy


@pytest.fixture(scope="session")
def make_month(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Month]:
    """A function that generates, loads, rates and bills a month."""

    def make(options: DemoOptions, *, checks: bool) -> Month:
        folder = tmp_path_factory.mktemp("month")
        generate(folder, options)
        warehouse = make_warehouse()
        warehouse.load_reference(folder / "reference")
        warehouse.load(folder / "files")
        totals = warehouse.rate(checks=checks)
        assert totals is not None
        drafts = warehouse.bill(checks=checks)
        checksums = {group: draft.content_checksum for group, draft in drafts.items()}
        return Month(warehouse, folder, totals, checksums)

    return make


@pytest.fixture(scope="session")
def month(make_month: Callable[..., Month]) -> Month:
    """A month with the usual dirt. Tests may repeat on it what was done, and change nothing."""
    return make_month(DemoOptions(cdrs=3000, charges=120), checks=True)
