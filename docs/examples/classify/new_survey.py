"""
A new survey is one record
==========================

astromorph needs one record per survey: the bands, the color mapping of flux, the pixel size, and
the place of the images.
"""
# %%
# This survey has deeper images than SDSS, and shows them brighter. With ``hips``, the identifiers
# of its image surveys at CDS, ``classify`` could also download its images by position.
import numpy as np
from astropy import units as u

from astromorph import MorphologyClassifier, Survey, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

deep = Survey("deep", "A deep survey", bands=("g", "r", "i"), rgb=("i", "r", "g"),
              pixel_scale=0.2 * u.arcsec, psf_fwhm=0.7 * u.arcsec, sky_noise=0.005 * u.nmgy,
              scales={"g": 1.5, "r": 0.9, "i": 0.6}, offset=0.02, softening=20.0)

# %%
# Draw the same fluxes as SDSS and as this survey would show them, with the answers of the SDSS
# weights.
sample = load_sample()[::3]  # one of each kind
clf = MorphologyClassifier.from_pretrained("sdss")
pictures, answers = [], []
for survey in ("sdss", deep):
    pictures += [read_cutout(path, survey=survey).pixels for path in sample["file"]]
    answers.append(clf.predict(sample["file"], survey=survey, r90="measure"))

titles = [f"{survey}: {name}" for survey in ("sdss", "deep") for name in sample["name"]]
axes = plot_mosaic(pictures, np.concatenate(answers), titles=titles)

# %%
# See also
# --------
# - :doc:`/new_survey`: all fields of a record, and records in files
# - :doc:`/surveys`: the surveys that astromorph knows
# - `~astromorph.surveys.Survey`: the record
