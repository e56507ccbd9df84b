"""Where the image services are; see `conf`."""
from astropy.config import ConfigItem, ConfigNamespace

__all__ = ["Conf", "conf"]


class Conf(ConfigNamespace):
    """Addresses of the image services, read anew for each request.

    Frames of SDSS come from the addresses in ``astroquery.sdss.conf``.
    """

    skyserver_url = ConfigItem("https://skyserver.sdss.org", "SkyServer of SDSS.")
    viewer_url = ConfigItem("https://www.legacysurvey.org/viewer", "Legacy Surveys viewer.")
    hips2fits_url = ConfigItem("https://alasky.cds.unistra.fr/hips-image-services/hips2fits",
                               "hips2fits service of the CDS.")
    hips2fits_mirror_url = ConfigItem(
        "https://alaskybis.cds.unistra.fr/hips-image-services/hips2fits",
        "Another server of hips2fits, asked where the first fails or shows nothing.")
    moc_url = ConfigItem("https://alasky.cds.unistra.fr/MocServer/query",
                         "Coverage maps of surveys at the CDS.")
    rubin_url = ConfigItem("https://data.lsst.cloud/api", "The Rubin Science Platform.")
    sia_url = ConfigItem("https://datalab.noirlab.edu/sia",
                         "Simple Image Access of NOIRLab's Data Lab.")
    tap_url = ConfigItem("https://datalab.noirlab.edu/tap", "Table Access of NOIRLab's Data Lab.")


conf = Conf()
