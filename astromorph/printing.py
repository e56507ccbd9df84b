"""Make text from other sources safe to print on a terminal."""

__all__ = ["printable"]


def printable(text):
    r"""Escape the characters that a terminal would interpret or could not encode.

    Parameters
    ----------
    text : str
        Text from any source, such as a table or a service.

    Returns
    -------
    str
        The text, with escapes such as ``\x1b`` in place of these characters.

    Examples
    --------
    >>> from astromorph.printing import printable
    >>> print(printable("NGC 1300\x1b[31m"))
    NGC 1300\x1b[31m
    """
    return "".join(one if one.isprintable() or one in "\n\t\xa0" else
                   one.encode("unicode_escape").decode() for one in text)
