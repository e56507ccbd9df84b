"""Survey image services: the ways to an image, and what they take, give and raise."""
from astromorph.services.base import CutoutRequest, FetchError, ServiceImage
from astromorph.services.endpoints import Conf, conf
from astromorph.services.local import LocalFolder
from astromorph.services.local_hips import LocalHips
from astromorph.services.image_services import WAYS, Way, check_way, get_way

__all__ = ["WAYS", "Conf", "CutoutRequest", "FetchError", "LocalFolder", "LocalHips",
           "ServiceImage", "Way", "check_way", "conf", "get_way"]
