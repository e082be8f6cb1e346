"""Warehouses for the whole way from file to invoice; the demo month is rated once and copied."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loaders.demo.generate import DemoOptions, generate
from loaders.settings import connection_parameters
from tests.conftest import Shared
from tests.end_to_end.warehouse import Warehouse
from tests.servers import copy_database, drop_database, with_database


@dataclass(frozen=True)
class Month:
    """A warehouse that has rated and billed a generated month, and the month's folder."""

    warehouse: Warehouse
    folder: Path
    control_totals: dict
    checksums: dict[str, str]


@pytest.fixture(scope="session")
def make_bare_warehouse(
    make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Warehouse]:
    """A function that makes a warehouse in which dbt never ran."""

    def make() -> Warehouse:
        return Warehouse(make_database(), tmp_path_factory.mktemp("dbt"))

    return make


@pytest.fixture(scope="session")
def copy_database_as_test(server_url: str) -> Iterator[Callable[[str], str]]:
    """A function that copies a database nobody is connected to; the URL of the copy."""
    made: list[str] = []

    def copy(original: str) -> str:
        name = f"ratehouse_test_{secrets.token_hex(4)}"
        made.append(name)
        return copy_database(server_url, original, name)

    yield copy
    for name in made:
        drop_database(server_url, with_database(server_url, name))


@pytest.fixture(scope="session")
def make_warehouse(
    of_all_workers: Shared,
    make_bare_warehouse: Callable[[], Warehouse],
    copy_database_as_test: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Warehouse]:
    """A function that makes an empty warehouse whose views and seeds stand already."""

    def build(name: str, folder: Path) -> None:
        bare = make_bare_warehouse()
        bare.build("tag:rating", {}, checks=True)
        bare.build("tag:billing", {}, checks=True)
        copy_database(of_all_workers.server_url, connection_parameters(bare.url)["dbname"], name)

    def make() -> Warehouse:
        built, _ = of_all_workers.once("built", build)
        return Warehouse(copy_database_as_test(built), tmp_path_factory.mktemp("dbt"))

    return make


@pytest.fixture(scope="module")
def warehouse(make_warehouse: Callable[[], Warehouse]) -> Warehouse:
    """An empty warehouse of a module's own."""
    return make_warehouse()


@pytest.fixture(scope="session")
def copy_warehouse(
    copy_database_as_test: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Warehouse], Warehouse]:
    """A function that copies a warehouse with all it holds: quicker than rating it again."""

    def copy(original: Warehouse) -> Warehouse:
        url = copy_database_as_test(connection_parameters(original.url)["dbname"])
        return Warehouse(url, tmp_path_factory.mktemp("dbt"))

    return copy


@pytest.fixture(scope="session")
def make_month(
    make_warehouse: Callable[[], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Month]:
    """A function that generates, loads, rates and bills a month."""

    def make(options: DemoOptions, *, checks: bool, folder: Path | None = None) -> Month:
        folder = folder or tmp_path_factory.mktemp("month")
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
def month(
    of_all_workers: Shared,
    make_month: Callable[..., Month],
    copy_warehouse: Callable[[Warehouse], Warehouse],
) -> Month:
    """A month with the usual dirt. Tests may repeat on it what was done, and change nothing.

    One worker makes it, each has a copy.
    """

    def make(name: str, folder: Path) -> dict[str, Any]:
        made = make_month(DemoOptions(cdrs=3000, charges=120), checks=True, folder=folder)
        original = connection_parameters(made.warehouse.url)["dbname"]
        copy_database(of_all_workers.server_url, original, name)
        return {
            "folder": str(folder),
            "control_totals": made.control_totals,
            "checksums": made.checksums,
        }

    name, made = of_all_workers.once("month", make)
    original = Warehouse(with_database(of_all_workers.server_url, name), Path(made["folder"]))
    return Month(
        copy_warehouse(original),
        Path(made["folder"]),
        made["control_totals"],
        made["checksums"],
    )
