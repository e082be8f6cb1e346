"""Helpers of the code location. Nothing here is a definition, and nothing needs a manifest."""
