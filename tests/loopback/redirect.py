"""The simulated services in place of the real ones."""
from contextlib import ExitStack, contextmanager

import astroquery.sdss

from astromorph import services

__all__ = ["redirected"]


@contextmanager
def redirected(url):
    """Let the package ask a `LoopbackServer` at this address."""
    with ExitStack() as stack:
        for name, path in (("skyserver", ""), ("viewer", "/viewer"), ("hips2fits", "/hips2fits"),
                           ("hips2fits_mirror", "/hips2fits-mirror"), ("sia", "/sia"),
                           ("tap", "/tap"), ("moc", "/MocServer/query"),
                           ("rubin", "/rubin")):
            stack.enter_context(services.conf.set_temp(f"{name}_url", url + path))
        conf = astroquery.sdss.conf
        stack.enter_context(conf.set_temp("skyserver_baseurl", url))
        stack.enter_context(conf.set_temp("sas_baseurl", url + "/sas"))
        yield
