"""Rows -> network pixels, in threads or processes that work ahead of the network."""
import multiprocessing
import os
from dataclasses import dataclass

import numpy as np

from astromorph.domain import image_statistics
from astromorph.images import CutoutError, normalize_bands
from astromorph.services.base import FetchError

__all__ = ["Loader", "default_processes"]

# Fewer files are read before other processes have begun.
_MANY = 2000
# Each takes some 150 MB.
_MOST = 8


@dataclass(frozen=True)
class Loader:
    """Loads rows in groups; may be sent to another process if its ``load`` may.

    Parameters
    ----------
    load : callable
        (row, size, frame_r90, margin) -> (pixels, flag, provenance); raises CutoutError or
        FetchError.
    size : int
        Pixels of the network's frame.
    frame_r90 : float
        Its width in R90.
    alignment : `~astromorph.alignment.Alignment`, optional
        Applied to frames.
    """

    load: object
    size: int
    frame_r90: float
    alignment: object = None

    def frame(self, row, margin=0):
        """(pixels as they were read, flag, provenance, None), or (None, flag, None, error)."""
        try:
            return *self.load(row, self.size, self.frame_r90, margin), None
        except (CutoutError, FetchError) as error:
            return None, error.flag, None, error

    def frames(self, group, margin=0):
        """The same of each row of a group."""
        return [self.frame(row, margin) for row in group]

    def prepare(self, frames):
        """Network pixels (n, size, size, 3) of frames."""
        return normalize_bands(np.stack([self.alignment(frame) for frame in frames]
                                        if self.alignment else frames))

    def __call__(self, group):
        """(network pixels, flag, provenance, image statistics, error or None) of each row."""
        loaded = self.frames(group)
        good = [k for k, (frame, *_) in enumerate(loaded) if frame is not None]
        pixels = iter(self.prepare([loaded[k][0] for k in good]) if good else ())
        results = []
        for frame, flag, provenance, error in loaded:
            image = None if frame is None else next(pixels)
            results.append((image, flag, provenance,
                            None if image is None else image_statistics(image), error))
        return results


def default_processes(sources):
    """How many processes should read these images; 0 to read in threads of this one."""
    worth_it = (len(sources) >= _MANY and multiprocessing.parent_process() is None
                and all(isinstance(source, (str, os.PathLike)) for source in sources))
    return min(os.cpu_count(), _MOST) if worth_it else 0
