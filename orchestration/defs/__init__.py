"""The definitions of the code location, one folder per concern."""
