"""Reference data: what usage is rated against."""
