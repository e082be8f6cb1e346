"""Small help for readable tables in source."""


def words(text: str) -> list[str]:
    """Split a table of words; longer lists stay readable that way."""
    return text.split()
