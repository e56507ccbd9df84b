"""Sample data of the package: twelve simulated galaxies."""

__all__ = ["load_sample"]


def load_sample():
    """Load the twelve simulated galaxies that come with astromorph.

    They are for demonstrations and tests, not for science. There are three smooth, three spiral,
    three barred and three edge-on galaxies, as SDSS would see them in g, r and i.

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
