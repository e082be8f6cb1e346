"""Uploading files in a browser: choose, preview, say what the columns mean, import."""
