"""A copy of the project in which one text at a time is changed and compiled."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

from loaders.runs.dry import DryModels, Model
from loaders.settings import project_root
from orchestration.lib import dbt_environment
from orchestration.lib.dry_models import compile_arguments, compile_environment, models_of
from tests.mutation.catalogue import Mutant

# The worlds have files of these layouts. Each other one would cost every mutant some time.
_LAYOUTS = ("asterisk_cdr", "mapped_usage", "carrier_charge")
# Shown in previews; no world asks for them.
_NOT_ASKED = ("int_usage__canonical", "int_charge__canonical")
_SQL_FOLDERS = ("dbt_project", "macros", "seeds")
# What tests of a copy do not need, or would share with the original.
_LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "target", "logs", "build", "*.egg-info"
)  # fmt: skip


class DoesNotCompile(Exception):
    """dbt's words."""


class Copy:
    """The dbt project, copied with the layouts of the worlds and compiled once for dry runs."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._root = folder / "sql"
        for name in _SQL_FOLDERS:
            shutil.copytree(
                project_root() / name, self._root / name, symlinks=True, ignore=_LEFT_OUT
            )
        self._project = self._root / "dbt_project"
        self._target = folder / "target"
        self._url = url
        self._leave_layouts_out()
        self._invoke(compile_arguments(self._project))
        self._manifest = self._read_manifest()
        self.models = self._models(self._manifest)

    @cached_property
    def whole(self) -> Path:
        """A copy of the whole project, in which tests can be run; mutants are not in it."""
        whole = self._folder / "whole"
        shutil.copytree(project_root(), whole, symlinks=True, ignore=_LEFT_OUT)
        return whole

    def compiled(self, mutant: Mutant) -> DryModels | None:
        """The models with a mutant in them; None if they do not read its file."""
        if not (self._root / mutant.file).is_file():
            return None
        with changed(self._root, mutant):
            if mutant.file.startswith("seeds/"):
                return self._with_seeds(mutant)
            reached = self._reached_by(mutant.file)
            if not reached:
                return None
            arguments = compile_arguments(self._project)
            selection = arguments.index("--select")
            results = self._invoke(
                [*arguments[:selection], "--no-write-json", "--select", *sorted(reached.values())]
            )
        # Versions of a model share its name.
        fresh = {result.node.alias: result.node.compiled_code for result in results}
        if missing := reached.keys() - fresh.keys():
            raise DoesNotCompile(f"dbt left out {', '.join(sorted(missing))}")
        return self._with(fresh)

    def _leave_layouts_out(self) -> None:
        path = self._root / "macros" / "layouts.sql"
        kept = "|".join(_LAYOUTS)
        lists = r"(?<={{ return\(\[\n)(?:        '\w+',\n)+(?=    \]\) }})"
        one = re.compile(rf"        '(?!(?:{kept})')\w+',\n")
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(lists, lambda found: one.sub("", found[0]), text), encoding="utf-8")
        for folder in (self._project / "models" / "staging").iterdir():
            if folder.is_dir() and folder.name not in _LAYOUTS:
                shutil.rmtree(folder)

    def _with(self, fresh: Mapping[str, str]) -> DryModels:
        database = next(
            node["database"]
            for node in self._manifest["nodes"].values()
            if node["resource_type"] == "model"
        )

        def with_fresh_sql(model: Model) -> Model:
            if model.name not in fresh:
                return model
            return replace(model, sql=fresh[model.name].replace(f'"{database}".', ""))

        return replace(
            self.models,
            models=tuple(map(with_fresh_sql, self.models.models)),
            billing=tuple(map(with_fresh_sql, self.models.billing)),
        )

    def _with_seeds(self, mutant: Mutant) -> DryModels:
        if Path(mutant.file).name != "not_billable_rules.csv":
            return self._models(self._manifest)
        # Its rules are written into the models.
        self._invoke(compile_arguments(self._project))
        return self._models(self._read_manifest())

    def _models(self, manifest: Mapping[str, Any]) -> DryModels:
        models = models_of(self._project, manifest, self._url)
        asked = tuple(model for model in models.models if model.name not in _NOT_ASKED)
        return replace(models, models=asked)

    def _read_manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self._target / "manifest.json").read_text())
        return manifest

    def _reached_by(self, file: str) -> dict[str, str]:
        """The models that a file makes or, as a macro, helps to make: alias and name."""
        in_project = file.removeprefix("dbt_project/")
        macros = {
            key
            for key, macro in self._manifest["macros"].items()
            if macro["original_file_path"] == in_project and macro["package_name"] == "ratehouse"
        }
        reached = set(macros)
        while reached:
            reached = {
                key
                for key, macro in self._manifest["macros"].items()
                if key not in macros and not macros.isdisjoint(macro["depends_on"]["macros"])
            }
            macros |= reached
        built = {model.name for model in (*self.models.models, *self.models.billing)}
        return {
            node["alias"]: node["name"]
            for node in self._manifest["nodes"].values()
            if node["resource_type"] == "model"
            and node["alias"] in built
            and (
                node["original_file_path"] == in_project
                or not macros.isdisjoint(node["depends_on"]["macros"])
            )
        }

    def _invoke(self, arguments: list[str]) -> list[Any]:
        environment = compile_environment(self._project, self._url, self._target)
        with dbt_environment.variables(environment):
            done = dbtRunner().invoke(
                [
                    "--no-use-colors", "--log-level", "none", "--log-level-file", "none",
                    "--log-path", str(self._target), "--no-populate-cache", *arguments,
                ]
            )  # fmt: skip
        if not done.success:
            told = [done.exception] if done.exception else [r.message for r in done.result.results]
            raise DoesNotCompile("; ".join(str(message) for message in told if message))
        return list(done.result.results)


@contextlib.contextmanager
def changed(root: Path, mutant: Mutant) -> Iterator[None]:
    """A copy with a mutant in it, while the block lasts."""
    path = root / mutant.file
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.applied(original), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(original, encoding="utf-8")
