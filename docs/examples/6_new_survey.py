"""
A new survey is one record
==========================

What astromorph needs to know of a survey: its bands, how flux becomes color, how large its pixels
are, and where its images can be had.
"""
# %%
# A survey with deeper images, shown brighter than those of SDSS. With ``hips``, the identifiers of
# its image surveys at CDS, ``classify`` could get its images by position too.
import numpy as np
from astropy import units as u

from astromorph import MorphologyClassifier, Survey, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

deep = Survey("deep", "A deep survey", bands=("g", "r", "i"), rgb=("i", "r", "g"),
              pixel_scale=0.2 * u.arcsec, psf_fwhm=0.7 * u.arcsec, sky_noise=0.005 * u.nmgy,
              scales={"g": 1.5, "r": 0.9, "i": 0.6}, offset=0.02, softening=20.0)

# %%
# The same fluxes, as SDSS and as this survey would show them, and what the SDSS weights make of
# each.
sample = load_sample()[::3]  # one of each kind
clf = MorphologyClassifier.from_pretrained("sdss")
pictures, answers = [], []
for survey in ("sdss", deep):
    pictures += [read_cutout(path, survey=survey).pixels for path in sample["file"]]
    answers.append(clf.predict(sample["file"], survey=survey, r90="measure"))
titles = [f"{survey}: {name}" for survey in ("sdss", "deep") for name in sample["name"]]
axes = plot_mosaic(pictures, np.concatenate(answers), titles=titles)
