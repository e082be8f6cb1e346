"""The asset key of every dbt node. Keys are identities: changing one loses its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a person sees as one reference file is several tables: `account_key` holds the ids that
# `account` uses. One asset stands for both.
_KEY_TABLE_SUFFIX = "_key"


def layer(props: Mapping[str, Any]) -> str:
    """The folder under models: staging, usage, rating ... (`seeds`, or the schema of a source)."""
    if props["resource_type"] == "source":
        return props["source_name"]
    if props["resource_type"] == "seed":
        return "seeds"
    path = props["fqn"]
    return path[1] if len(path) > 2 else "models"


def asset_key_parts(props: Mapping[str, Any]) -> list[str]:
    """[layer, name]; reference key tables are their kind; older versions of a model say which."""
    name = props["name"]
    if props.get("version") not in (None, props.get("latest_version")):
        name = f"{name}_v{props['version']}"
    if props["resource_type"] == "source" and props["source_name"] == "reference":
        name = name.removesuffix(_KEY_TABLE_SUFFIX)
    return [layer(props), name]
