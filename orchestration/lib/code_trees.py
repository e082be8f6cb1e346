"""The models of another state of the code: a git commit, compiled as its own dry run would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from loaders import settings
from loaders.errors import RatehouseError
from loaders.runs.dry import DryModels
from orchestration.lib import dry_models

# Without the network, and without looking into the database's data.
_COMPILE = (
    "import json, sys\n"
    "from dataclasses import asdict\n"
    "from orchestration.lib.dry_models import dry_models\n"
    "models = dry_models(sys.argv[1])\n"
    "open(sys.argv[2], 'w').write(json.dumps(asdict(models)))\n"
)
WORKING_TREE = ""


def commit_of(ref: str, root: Path | None = None) -> str:
    """The full number of a commit."""
    root = root or settings.project_root()
    done = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if done.returncode != 0:
        raise RatehouseError(
            f"'{ref}' is no commit of {root}: name a branch, a tag or a number that git knows"
        )
    return done.stdout.strip()


def changed_files(base: str, proposed: str, root: Path | None = None) -> list[str]:
    """Files that differ between two states; an empty name is the working tree."""
    root = root or settings.project_root()
    done = _git(root, "diff", "--name-only", base, *([proposed] if proposed else []))
    names = set(done.stdout.splitlines())
    if not proposed:
        names |= set(_git(root, "ls-files", "--others", "--exclude-standard").stdout.splitlines())
    return sorted(names)


def models_at(url: str, ref: str) -> DryModels:
    """The compiled models of a commit, or of the working tree."""
    if ref == WORKING_TREE:
        return dry_models.dry_models(url)
    commit = commit_of(ref)
    folder = settings.home() / "shadow" / "trees"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{commit}.json"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="ratehouse_tree_") as name:
            _check_out(commit, Path(name) / "tree")
            fresh = kept.with_suffix(f".{os.getpid()}")
            _compile(url, Path(name), fresh, commit)
            fresh.replace(kept)
    return dry_models.read_models(kept)


def _check_out(commit: str, folder: Path) -> None:
    """The files of a commit, without touching the checkout."""
    folder.mkdir()
    packed = folder.with_suffix(".tar")
    done = _git(settings.project_root(), "archive", "--output", str(packed), commit)
    if done.returncode != 0:
        raise RatehouseError(f"git cannot give the files of {commit}: {done.stderr.strip()}")
    shutil.unpack_archive(packed, folder, filter="data")


def _compile(url: str, folder: Path, result: Path, commit: str) -> None:
    tree = folder / "tree"
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE, url, str(result)],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": str(tree),
            settings.HOME_VARIABLE: str(folder / "home"),
            settings.DATABASE_URL_VARIABLE: url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise RatehouseError(
            f"the models of {commit[:12]} cannot be compiled for a shadow: "
            + (reason[-1] if reason else "no reason was given")
        )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise RatehouseError(f"git is needed to compare with a commit: {error.strerror}") from error
