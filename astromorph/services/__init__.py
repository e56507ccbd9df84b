"""The image services of surveys, and their requests, images and errors."""
from astromorph.errors import FetchError
from astromorph.services.base import CutoutRequest, ServiceImage
from astromorph.services.endpoints import Conf, conf
from astromorph.services.image_services import (IMAGE_SERVICES, ImageService, check_image_service,
                                                get_image_service)
from astromorph.services.local import LocalFolder
from astromorph.services.local_hips import LocalHips

__all__ = ["IMAGE_SERVICES", "Conf", "CutoutRequest", "FetchError", "ImageService", "LocalFolder",
           "LocalHips", "ServiceImage", "check_image_service", "conf", "get_image_service"]
