"""Describe the provenance in the ``meta`` of a classified table."""

__all__ = ["PROVENANCE", "describe", "scalars"]

PROVENANCE = {  # key: (description, UCD)
    "MORPHNET": ("Network that gave the probabilities", "meta.title;meta.software"),
    "MORPHSRV": ("Survey of the weights", "meta.dataset"),
    "MORPHWGT": ("First digits of the weights' SHA-256", "meta.checksum"),
    "MORPHMDL": ("First digits of the checksum of all that affects answers", "meta.checksum"),
    "MORPHEMB": ("First digits of the checksum of all that affects features", "meta.checksum"),
    "MORPHPRC": ("Precision of the arithmetic", "meta.note"),
    "MORPHVER": ("Version of astromorph", "meta.version;meta.software"),
    "MORPHDAT": ("Time of classification (UTC)", "time.processing"),
    "MORPHIMG": ("Survey and release of the images", "meta.dataset"),
}
"""Keys that `~astromorph.classifier.MorphologyClassifier.classify` adds to the ``meta`` of a table,
each with its description and UCD (`dict`)."""


def describe(key):
    """Description and UCD of a key of the ``meta``; empty for unknown keys."""
    return PROVENANCE.get(str(key).upper(), ("", None))


def scalars(meta):
    """Yield (key, value, comment) of the text, numbers and booleans of a ``meta``.

    A value may be a pair with its comment, as astropy allows for FITS headers.
    """
    for key, value in meta.items():
        comment = describe(key)[0]
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
            value, comment = value
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if isinstance(value, (str, bool, int, float)):
            yield str(key), value, comment
