"""The image services of surveys, and what they take, give and raise."""
from astromorph.services.base import CutoutRequest, FetchError, ServiceImage
from astromorph.services.endpoints import Conf, conf
from astromorph.services.local import LocalFolder
from astromorph.services.local_hips import LocalHips
from astromorph.services.image_services import IMAGE_SERVICES, ImageService, check_image_service, get_image_service

__all__ = ["IMAGE_SERVICES", "Conf", "CutoutRequest", "FetchError", "LocalFolder", "LocalHips",
           "ServiceImage", "ImageService", "check_image_service", "conf", "get_image_service"]
