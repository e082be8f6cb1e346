"""Ratehouse loaders: fetch files, land every line, load reference data. Never imports Dagster."""
