"""Text of others, made fit for a terminal."""

__all__ = ["printable"]


def printable(text):
    r"""Give a text without the characters that a terminal would obey, or could not encode.

    Parameters
    ----------
    text : str
        Of names, of services, of anybody.

    Returns
    -------
    str
        They stand there as escapes, ``\x1b``.

    Examples
    --------
    >>> from astromorph.printing import printable
    >>> print(printable("NGC 1300\x1b[31m"))
    NGC 1300\x1b[31m
    """
    return "".join(one if one.isprintable() or one in "\n\t\xa0" else
                   one.encode("unicode_escape").decode() for one in text)
