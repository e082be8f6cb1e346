"""Exports: what the marts say, as files for other people's tools."""
