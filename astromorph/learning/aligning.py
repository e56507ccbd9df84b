"""Make images of another survey as bright as those that trained the network."""
from astromorph.errors import wrong
from astromorph.model.alignment import BLUR, Alignment, measure_brightness
from astromorph.running import read_frames
from astromorph.surveys import get_survey

__all__ = ["align", "align_frames"]


def align(model, source, *, survey=None, blur=None, threads=None, progress=None):
    """Align a model with the images of a source.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    source : `~astromorph.galaxies.GalaxySource`
        The images.
    survey, blur, threads, progress
        See `~astromorph.classifier.MorphologyClassifier.align`.

    Returns
    -------
    `~astromorph.model.TrainedModel`

    Raises
    ------
    ValueError
        If fewer than 30 images can be used, or the weights do not say how bright their training
        images were.
    """
    frames = read_frames(source, size=model.size, frame_r90=model.frame_r90, threads=threads,
                         progress=progress)
    return align_frames(model, (frame for frame in frames if frame is not None), survey, blur)


def align_frames(model, frames, survey=None, blur=None):
    """Align a model with frames.

    Parameters
    ----------
    model, survey, blur
        As for `align`.
    frames : iterable of `~numpy.ndarray`, shape (size, size, 3)
        Frames of the galaxies; a generator will do.

    Returns
    -------
    `~astromorph.model.TrainedModel`
        A model for the survey.

    Raises
    ------
    ValueError
        As `align`.
    """
    if model.card.brightness is None:
        raise wrong("weights", "weights that say how bright their training images were",
                    repr(model), "Use bundled weights, or weights adapted from them.")
    survey = get_survey(survey or model.survey)
    quantiles, n_images = measure_brightness(frames)
    alignment = Alignment(quantiles, model.card.brightness["quantiles"], model.size,
                          BLUR if blur is None else blur, n_images, survey.name)
    return model.replace(alignment=alignment, survey=survey)
