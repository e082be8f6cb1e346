"""A carrier's bill against our own calls."""
