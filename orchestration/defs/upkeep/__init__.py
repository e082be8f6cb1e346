"""Partitions and the full proof."""
