"""Which code rated this? The git commit in a checkout, else the installed package's version."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from loaders import settings

# Only these decide a result; an edited README does not make a rating dirty.
_CODE_FOLDERS = ("loaders", "orchestration", "dbt_project", "macros", "seeds")


@dataclass(frozen=True)
class CodeVersion:
    """A commit (or package version) and whether the working tree differs from it."""

    commit: str
    is_dirty: bool

    def __str__(self) -> str:
        return f"{self.commit[:12]}{' (changed since)' if self.is_dirty else ''}"


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def code_version(root: Path | None = None) -> CodeVersion:
    """The version of the code that is running, read from where it lies."""
    root = root or settings.project_root()
    toplevel = _git(root, "rev-parse", "--show-toplevel")
    # A folder inside somebody else's repository is not a checkout of this project.
    if toplevel is not None and Path(toplevel).resolve() == root.resolve():
        commit = _git(root, "rev-parse", "HEAD")
        if commit:
            folders = [name for name in _CODE_FOLDERS if (root / name).exists()]
            changes = _git(root, "status", "--porcelain", "--", *folders)
            return CodeVersion(commit=commit, is_dirty=changes is None or changes != "")
    try:
        return CodeVersion(commit=f"ratehouse {metadata.version('ratehouse')}", is_dirty=False)
    except metadata.PackageNotFoundError:
        return CodeVersion(commit="unknown", is_dirty=True)
