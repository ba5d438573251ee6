"""Numbers of things, as they are said."""


def many(count: float, what: str, several: str = "") -> str:
    """ "1 month", "36 months". `several`: the plural, where it takes more than an s."""
    return f"{count:,.15g} {what if count == 1 else several or what + 's'}"
