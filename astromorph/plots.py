"""Draw scores, probabilities and images on Matplotlib Axes."""
import numpy as np

from astromorph.arguments import as_floats, as_probabilities, check_count
from astromorph.errors import wrong
from astromorph.curves import rejection_curve, reliability, roc_curve
from astromorph.metrics import score
from astromorph.questions import QUESTIONS
from astromorph.surveys import get_survey

__all__ = ["plot_confusion", "plot_histogram", "plot_mosaic", "plot_numbers", "plot_rejection",
           "plot_reliability", "plot_roc", "plot_stretch"]

# Colors that people with any color vision can tell apart (Paul Tol's bright scheme).
_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#AA3377")
_RGB = ("#EE6677", "#228833", "#4477AA")
_TRACK = "#E8E8E8"
_MUTED = "#777777"
# Height of the tallest bar of the bin counts, as a fraction of the reliability plot's height.
_COUNT_HEIGHT = 0.15


def _or_new(ax):
    """The Axes, or the Axes of a new square figure."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
    return ax


def _unit_axes(ax, xlabel, ylabel):
    """Prepare Axes from 0 to 1 with a diagonal; used Axes get no second diagonal."""
    ax = _or_new(ax)
    if not ax.lines:
        ax.plot([0, 1], [0, 1], color=_MUTED, linestyle=":", linewidth=1, zorder=1)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return ax


def plot_roc(labels, probabilities, *, label=None, threshold=0.5, ax=None):
    """Draw the ROC curve of one question, with its area and a dot at the threshold.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    label : str, optional
        Name of the curve in the legend, before its area.
    threshold : float
        A galaxy counts as positive from this probability on.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; several curves may share it. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or the labels do not hold both answers.

    See Also
    --------
    astromorph.curves.roc_curve : Compute the curve.

    Examples
    --------
    >>> from astromorph.plots import plot_roc
    >>> ax = plot_roc([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.6], label="disk")
    >>> print(ax.get_legend_handles_labels()[1])
    ['disk: area 0.750']
    """
    fpr, tpr, _ = roc_curve(labels, probabilities)
    result = score(labels, probabilities, threshold=threshold)
    ax = _unit_axes(ax, "False positive rate", "True positive rate")
    name = f"{label}: " if label else ""
    line, = ax.plot(fpr, tpr, linewidth=1.8, label=f"{name}area {result.auc:.3f}",
                    color=_next_color(ax))
    ax.plot(result.fpr, result.tpr, "o", color=line.get_color(), markeredgecolor="white",
            markersize=7, zorder=3)
    ax.legend(loc="lower right", frameon=False)
    return ax


def _next_color(ax):
    """Color of the next curve: the legend has one entry per curve."""
    return _COLORS[len(ax.get_legend_handles_labels()[0]) % len(_COLORS)]


def plot_reliability(labels, probabilities, *, n_bins=10, label=None, ax=None):
    """Draw a reliability diagram: the fraction of positives against the probability.

    Calibrated probabilities lie on the diagonal. Error bars show the 68% interval (binomial,
    Wilson). The bars at the bottom show the number of galaxies per bin.

    Parameters
    ----------
    labels : array-like, shape (n,)
        1, 0, or NaN (or masked) where unknown.
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    n_bins : int
        Number of bins of equal width.
    label : str, optional
        Name in the legend, before the expected calibration error.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; the bars of several questions would overlap. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    astromorph.curves.reliability : Compute the numbers.

    Examples
    --------
    >>> from astromorph.plots import plot_reliability
    >>> ax = plot_reliability([1, 1, 0, 0], [0.9, 0.4, 0.2, 0.6], n_bins=2)
    >>> print(ax.get_legend_handles_labels()[1])
    ['calibration error 0.225']
    """
    bins = reliability(labels, probabilities, n_bins=n_bins)
    error = score(labels, probabilities, n_bins=n_bins).ece
    ax = _unit_axes(ax, "Predicted probability", "Fraction of positives")
    color = _next_color(ax)
    _draw_counts(ax, bins, color)
    known = bins.count > 0
    x, y, low, high = (values[known] for values in
                       (bins.probability, bins.fraction, bins.low, bins.high))
    name = f"{label}: " if label else ""
    # Rounding may put a fraction of 0 or 1 just outside its interval.
    ax.errorbar(x, y, yerr=np.clip([y - low, high - y], 0, None), color=color, marker="o",
                markersize=5, linewidth=1.2, capsize=2,
                label=f"{name}calibration error {error:.3f}")
    # The legend stands above the plot, because the curve may be anywhere inside.
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    return ax


def plot_rejection(labels, probabilities, errors, *, label=None, threshold=0.5, ax=None):
    """Draw the accuracy that remains when the galaxies with the largest errors are rejected.

    Parameters
    ----------
    labels, probabilities, errors : array-like, shape (n,)
        See `~astromorph.curves.rejection_curve`.
    label : str, optional
        Name of the curve in the legend.
    threshold : float
        A galaxy counts as positive from this probability on.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw; several curves may share it. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    astromorph.curves.rejection_curve : Compute the curve.

    Examples
    --------
    >>> from astromorph.plots import plot_rejection
    >>> ax = plot_rejection([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.6], [0.1, 0.1, 0.1, 0.3], label="bar")
    >>> ax.get_ylabel()
    'Accuracy of the others'
    """
    rejected, accuracy = rejection_curve(labels, probabilities, errors, threshold=threshold)
    ax = _or_new(ax)
    # The accuracy of the last few galaxies is noise, so the curve ends at 0.9.
    ax.plot(rejected[rejected <= 0.9], accuracy[rejected <= 0.9], linewidth=1.8, label=label,
            color=_COLORS[len(ax.lines) % len(_COLORS)])
    ax.set(xlabel="Fraction rejected", ylabel="Accuracy of the others", xlim=(-0.01, 0.91))
    if label:
        ax.legend(loc="lower right", frameon=False)
    return ax


def plot_histogram(probabilities, *, likely=None, n_bins=20, label=None, ax=None):
    """Draw the histogram of probabilities.

    Parameters
    ----------
    probabilities : array-like, shape (n,)
        In 0..1; NaN or masked where there is none.
    likely : array-like of bool, shape (n,), optional
        Galaxies to draw as filled bars, such as those for which the question probably applies.
        An outline then shows all galaxies. By default all are filled.
    n_bins : int
        Number of bins of equal width.
    label : str, optional
        Name of the filled bars in a legend. By default there is no legend.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    Examples
    --------
    >>> from astromorph.plots import plot_histogram
    >>> ax = plot_histogram([0.1, 0.2, 0.9], n_bins=10)
    >>> ax.get_xlabel()
    'Probability'
    """
    check_count(n_bins, "n_bins")
    probabilities = as_probabilities(probabilities)
    known = np.isfinite(probabilities)
    filled = known if likely is None else known & np.asarray(likely, bool)
    ax, edges = _or_new(ax), np.linspace(0, 1, n_bins + 1)
    ax.hist(probabilities[filled], edges, color=_COLORS[0], label=label)
    if likely is not None:
        ax.hist(probabilities[known], edges, histtype="step", color=_MUTED, label="all")
    ax.set(xlabel="Probability", ylabel="Galaxies", xlim=(0, 1))
    if label:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, ncols=2)
    return ax


def plot_numbers(labels, answers, *, unit="", ax=None):
    """Draw the answers to a question for a number against the true numbers, with error bars.

    Parameters
    ----------
    labels : array-like, shape (n,)
        True numbers; NaN or masked where unknown.
    answers : array-like, shape (n, 2)
        Answers and their standard deviations; NaN or masked where there is none.
    unit : str
        Unit to show on the axes.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    TypeError
        If an array does not hold numbers.

    Examples
    --------
    >>> from astromorph.plots import plot_numbers
    >>> ax = plot_numbers([1.0, 2.0], [[1.1, 0.2], [1.8, 0.3]], unit="arcsec")
    >>> ax.get_xlabel()
    'Label (arcsec)'
    """
    labels, answers = as_floats(labels, "labels"), as_floats(answers, "answers")
    known = np.isfinite(labels) & np.isfinite(answers).all(axis=1)
    x, y, error = labels[known], *answers[known].T
    ax, unit = _or_new(ax), f" ({unit})" if unit else ""
    ends = [min(x.min(), y.min()), max(x.max(), y.max())] if x.size else [0, 1]
    ax.plot(ends, ends, color=_MUTED, linestyle=":", linewidth=1, zorder=1)
    ax.errorbar(x, y, error, fmt="o", markersize=3, elinewidth=0.4, color=_COLORS[0], alpha=0.5)
    ax.set(xlabel=f"Label{unit}", ylabel=f"Answer{unit}")
    return ax


def plot_confusion(counts, names, *, ax=None):
    """Draw a confusion matrix: labels against the most probable answers.

    Parameters
    ----------
    counts : array-like of int, shape (answers, answers)
        The result of `~astromorph.scores.confusion`.
    names : sequence of str
        Names of the answers.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    See Also
    --------
    astromorph.scores.confusion : Count the galaxies.

    Examples
    --------
    >>> from astromorph.plots import plot_confusion
    >>> ax = plot_confusion([[90, 10], [5, 95]], ["no ring", "ring"])
    >>> ax.get_ylabel()
    'Label'
    """
    counts, ax, places = np.asarray(counts), _or_new(ax), range(len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        ax.text(column, row, f"{counts[row, column]}", ha="center", va="center",
                color="white" if shares[row, column] > 0.6 else "black")
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.set(xlabel="Most probable answer", ylabel="Label")
    return ax


def _draw_counts(ax, bins, color):
    """Draw a histogram along the bottom, with a number on each bar."""
    heights = _COUNT_HEIGHT * bins.count / max(bins.count.max(), 1)
    ax.bar(bins.edges[:-1], heights, np.diff(bins.edges), align="edge", color=color, alpha=0.2,
           edgecolor="white", zorder=0)
    for left, right, height, count in zip(bins.edges, bins.edges[1:], heights, bins.count,
                                          strict=False):
        ax.text((left + right) / 2, height + 0.005, f"{count}", ha="center", va="bottom",
                fontsize="x-small", color=_MUTED)


def plot_mosaic(images, probabilities, *, titles=None, questions=None, n_columns: int = 4,
                figure=None) -> np.ndarray:
    """Draw a mosaic of galaxies, each above bars of its probabilities.

    Parameters
    ----------
    images : sequence of n array-like, shape (y, x, 3), or None
        Color images, uint8 or float in 0..1, row 0 at the top; None where there is no image.
        Sizes may differ.
    probabilities : array-like, shape (n, columns)
        Columns of the questions, one for a yes/no question. NaN or masked values are shown as
        "not classified". Answers that are not probabilities are written without a bar.
    titles : sequence of n str, optional
        A title above each image.
    questions : sequence of `~astromorph.questions.Question`, length q, optional
        Questions whose positive answers name the bars. By default the published ones,
        `~astromorph.questions.QUESTIONS`; for other columns pass ``clf.questions``.
    n_columns : int
        Galaxies per row.
    figure : `~matplotlib.figure.Figure` or `~matplotlib.figure.SubFigure`, optional
        Where to draw. By default a new figure of the right size.

    Returns
    -------
    `~numpy.ndarray` of `~matplotlib.axes.Axes`, shape (n, 2)
        Per galaxy, the Axes of the image and the Axes of the bars.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or the lengths differ.

    See Also
    --------
    write_report : Write a page about a classified table.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import plot_mosaic
    >>> images = np.random.default_rng(0).random((2, 40, 40, 3))
    >>> axes = plot_mosaic(images, [[0.9, 0.1, 0.7], [0.2, 0.4, 0.1]], titles=["A", "B"])
    >>> axes.shape
    (2, 2)
    """
    probabilities = as_floats(probabilities, "probabilities")
    columns = [column for question in _named_bars(probabilities, questions)
               for column in question.answer_columns]
    _check_mosaic(images, probabilities, titles, columns, n_columns)
    grid = _mosaic_grid(len(images), len(columns), n_columns, titles is not None, figure)
    for index, (image_ax, bars_ax) in enumerate(grid):
        _draw_galaxy(image_ax, images[index], None if titles is None else titles[index])
        _draw_bars(bars_ax, probabilities[index], columns)
    return grid


def _named_bars(probabilities, questions):
    """The given questions; else the published ones, if their number fits the columns."""
    if questions is not None:
        return questions
    if probabilities.ndim == 2 and probabilities.shape[1] != len(QUESTIONS):
        raise wrong("questions", f"one question for each of {probabilities.shape[1]} columns of "
                    "probabilities", "none", "Pass questions=clf.questions.")
    return QUESTIONS


def _check_mosaic(images, probabilities, titles, columns, n_columns):
    if len(images) == 0:
        raise wrong("images", "at least one image", "none")
    if probabilities.shape != (len(images), len(columns)):
        raise wrong("probabilities", f"shape ({len(images)}, {len(columns)}), one row per image "
                    "and one column per question", probabilities.shape)
    as_probabilities(probabilities[:, [column.is_probability for column in columns]])
    if titles is not None and len(titles) != len(images):
        raise wrong("titles", f"as many as the images, {len(images)}", len(titles))
    check_count(n_columns, "n_columns")


def _mosaic_grid(n, n_questions, n_columns, titled, figure):
    """Create the Axes (n, 2), images above bars, in rows of n_columns; sizes in inches."""
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    side, bars, gap = 2.0, 0.17 * n_questions + 0.06, 0.12 + 0.2 * titled
    width, height = n_columns * (side + 0.12) + 0.12, n_rows * (side + bars + gap) + 0.06
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(width, height))
    axes = np.empty((n, 2), object)
    for index in range(n):
        row, column = divmod(index, n_columns)
        left = (0.12 + column * (side + 0.12)) / width
        bottom = 1 - (row + 1) * (side + bars + gap) / height
        axes[index] = (
            figure.add_axes((left, bottom + bars / height, side / width, side / height)),
            figure.add_axes((left, bottom, side / width, bars / height)))
    return axes


def _draw_galaxy(ax, image, title):
    ax.set(xticks=[], yticks=[], facecolor="black")
    ax.spines[:].set_visible(False)
    if title is not None:
        ax.set_title(title, fontsize=8, pad=3)
    if image is None:
        ax.text(0.5, 0.5, "no image", color="white", fontsize=8, ha="center", va="center",
                transform=ax.transAxes)
        return
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise wrong("images", "color images of shape (y, x, 3)", f"shape {image.shape}")
    # Matplotlib warns of floats a little above 1.
    ax.imshow(image if image.dtype == np.uint8 else np.clip(image, 0, 1))


def _draw_bars(ax, probabilities, columns):
    """Draw one bar per column from 0 to 1, its name on the left and its number on the right."""
    y = np.arange(len(columns))
    known = np.isfinite(probabilities)
    drawn = known & [column.is_probability for column in columns]
    ax.set(xlim=(-0.96, 1.3), ylim=(len(columns) - 0.45, -0.65))
    ax.axis("off")
    colors = [_COLORS[index % len(_COLORS)] for index in y]
    ax.barh(y, np.ones(y.size), height=0.55, color=_TRACK)
    ax.barh(y, np.where(drawn, probabilities, 0), height=0.55, color=colors)
    for index, column in enumerate(columns):
        ax.text(-0.05, index, column.title, ha="right", va="center", fontsize=7)
        if known[index]:
            ax.text(1.3, index, f"{probabilities[index]:.2f}", ha="right", va="center",
                    fontsize=7)
        else:
            ax.text(0.5, index, "not classified", ha="center", va="center", fontsize=6.5,
                    color=_MUTED)


def plot_stretch(image, survey, *, bands=None, ax=None):
    """Draw the color mapping of a survey's record, as applied to an image.

    The curves show the brightness of a gray pixel against its flux in each band, over the range of
    flux in the image. The strip around 0 is the noise of the sky. The corner shows the picture.

    Parameters
    ----------
    image : object
        Flux, in any form that `~astromorph.read_cutout` takes.
    survey : str or `~astromorph.surveys.Survey`
        The survey, or its name.
    bands : sequence of str, optional
        Names of the image's planes in their order. By default the headers name them.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw. By default a new figure.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    CutoutError
        If the image cannot be used.
    ValueError
        If an argument has the wrong type or value.

    See Also
    --------
    astromorph.images.fit_stretch : Fit the color mapping to some images.
    astromorph.Survey.preview : The same, as a method, with an example.

    Examples
    --------
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.plots import plot_stretch
    >>> ax = plot_stretch(load_sample()["file"][0], "sdss")
    """
    from astromorph.images import read_cutout
    from astromorph.images.fits_planes import read_planes

    survey = get_survey(survey)
    picture = read_cutout(image, survey=survey, bands=bands).pixels
    planes = read_planes(image, survey=survey, bands=bands).planes
    noise = survey.sky_noise.to_value("nmgy")
    ax = _or_new(ax)
    ax.axvspan(-noise, noise, color=_TRACK, zorder=0, label="noise of the sky")
    for band, color in zip(survey.rgb, _COLORS[1::-1] if len(survey.rgb) < 3 else _RGB):
        peak = np.nanmax(planes.get(band.lower(), [0.0]))
        flux = noise * np.sinh(np.linspace(-1.5, np.arcsinh(max(peak / noise, 30)), 200))
        light = survey.scales[band] * flux + survey.offset
        shown = np.arcsinh(survey.softening * light) / np.sqrt(survey.softening)
        ax.plot(flux, shown.clip(0, 1), color=color, linewidth=1.5, label=band)
    ax.set_xscale("asinh", linear_width=3 * noise)
    decades = 10.0 ** np.arange(np.ceil(np.log10(5 * noise)), 6)
    ax.set_xticks([0, *decades[decades < ax.get_xlim()[1]]])
    ax.set(xlabel="nanomaggies per native pixel", ylabel="brightness shown", ylim=(0, 1.02),
           title=f"{survey.title} ({survey.name})")
    ax.legend(loc="lower right", frameon=False, fontsize="small")
    inset = ax.inset_axes([0.03, 0.47, 0.5, 0.5])
    inset.imshow(picture)
    inset.set_axis_off()
    return ax
