"""Data that come with the package: twelve simulated galaxies."""

__all__ = ["load_sample"]


def load_sample():
    """Give the twelve simulated galaxies that come with astromorph.

    They are drawings for demonstrations and tests, not data: four smooth, spiral, barred and
    edge-on galaxies of three kinds each, as SDSS would see them in g, r and i.

    Returns
    -------
    `~astropy.table.Table`
        One row per galaxy: ``name``, ``petroR90`` (Petrosian R90, arcsec) and ``file``, the path
        of its FITS image.

    See Also
    --------
    astromorph.MorphologyClassifier.classify : Classify them.

    Examples
    --------
    >>> from astromorph.datasets import load_sample
    >>> sample = load_sample()
    >>> len(sample), sample.colnames
    (12, ['name', 'petroR90', 'file'])
    """
    from importlib.resources import files

    from astropy import units as u
    from astropy.io import fits
    from astropy.table import Table

    paths = sorted(map(str, files(__name__).joinpath("sample").glob("*.fits")))
    headers = [fits.getheader(path) for path in paths]
    return Table({"name": [header["OBJECT"] for header in headers],
                  "petroR90": [header["PETROR90"] for header in headers] * u.arcsec,
                  "file": paths})
