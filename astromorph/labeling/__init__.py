"""Label galaxies, and look at results, in the browser or in a notebook."""

__all__ = ["look"]


def __getattr__(name):
    if name != "look":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from astromorph.labeling.looking import look  # loads much

    return look
