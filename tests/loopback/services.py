"""Which service answers which path."""
import re

from loopback.catalogs import skyserver, tap
from loopback.frames import frame
from loopback.hips import hips2fits
from loopback.coverage import coverage
from loopback.messages import BadRequest, text
from loopback.pictures import img_cutout
from loopback.rubin import rubin
from loopback.sia import cutout, image_list
from loopback.viewer import fits_cutout, jpeg_cutout

__all__ = ["endpoint", "respond", "target"]

_ROUTES = {
    r"/dr\d+/SkyServerWS/ImgCutout/getjpeg": img_cutout,
    r"/dr\d+/en/tools/(search|crossid)/x_\w+\.aspx?": skyserver,
    r"/dr\d+/SkyServerWS/SearchTools/\w+": skyserver,
    r"/sas/dr\d+/.*\.fits\.bz2": frame,
    r"/viewer/jpeg-cutout/?": jpeg_cutout,
    r"/viewer/fits-cutout/?": fits_cutout,
    r"/hips2fits(-mirror)?": hips2fits,
    r"/sia/\w+": image_list,
    r"/svc/cutout": cutout,
    r"/tap/sync": tap,
    r"/MocServer/query": coverage,
    r"/rubin/(sia/dp1/query|datalink|cutout/sync|result)": rubin,
}
_COMPILED = [(re.compile(pattern, re.IGNORECASE), service) for pattern, service in _ROUTES.items()]


def respond(request, sky, faults):
    """Answer a request."""
    for pattern, service in _COMPILED:
        if pattern.fullmatch(request.path):
            try:
                return service(request, sky, faults)
            except BadRequest as error:
                return text(str(error), 400)
    return text("Not Found", 404, "text/html")


def endpoint(path):
    """Name under which requests of a path are counted: that of the path, the folder for frames."""
    return "/sas" if path.startswith("/sas/") else path


def target(request):
    """What a request is about: its position, else the frame, else the query."""
    query = request.query
    if {"ra", "dec"} <= set(query):
        return ",".join(map(_rounded, (query["ra"], query["dec"])))
    if request.path.startswith("/sas/"):
        return request.path.rpartition("/")[2]
    return next((query[name] for name in ("pos", "wcs", "cmd", "query") if name in query),
                request.upload)


def _rounded(angle):
    try:
        return f"{float(angle):.4f}"
    except ValueError:
        return angle
