"""What is drawn is what the numbers say."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from astromorph import curves, metrics, plots
from astromorph.questions import QUESTIONS


@pytest.fixture(autouse=True)
def no_windows():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    probabilities = rng.random(300)
    return (rng.random(300) < probabilities).astype(float), probabilities


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_roc_draws_the_curve_and_the_threshold(data):
    ax = plots.plot_roc(*data, label="disk", threshold=.3)
    diagonal, curve, dot = ax.lines
    fpr, tpr, _ = curves.roc_curve(*data)
    np.testing.assert_array_equal(curve.get_xydata(), np.c_[fpr, tpr])
    np.testing.assert_array_equal(diagonal.get_xydata(), [[0, 0], [1, 1]])
    result = metrics.score(*data, threshold=.3)
    np.testing.assert_allclose(dot.get_xydata(), [[result.fpr, result.tpr]])
    assert legend_texts(ax) == [f"disk: area {result.auc:.3f}"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("False positive rate", "True positive rate")


def test_roc_curves_share_axes(data):
    labels, probabilities = data
    _, given = plt.subplots()
    ax = plots.plot_roc(labels, probabilities, label="one", ax=given)
    assert plots.plot_roc(labels, probabilities**2 * .9, label="two", ax=ax) is given
    assert len(ax.lines) == 5  # one diagonal, two curves, two dots
    assert ax.lines[1].get_color() != ax.lines[3].get_color()
    assert len(legend_texts(ax)) == 2


def test_roc_without_both_answers():
    with pytest.raises(ValueError, match="both answers"):
        plots.plot_roc([1, 1], [.2, .3])


def test_reliability_draws_bins_errors_and_counts(data):
    ax = plots.plot_reliability(*data, n_bins=5, label="bar")
    bins = curves.reliability(*data, n_bins=5)
    errorbar, = (one for one in ax.containers if isinstance(one, ErrorbarContainer))
    line, _, (segments,) = errorbar.lines
    np.testing.assert_allclose(line.get_xydata(), np.c_[bins.probability, bins.fraction])
    ends = np.array([segment[:, 1] for segment in segments.get_segments()])
    np.testing.assert_allclose(ends, np.c_[bins.low, bins.high])
    heights = np.array([bar.get_height() for bar in ax.patches])
    np.testing.assert_allclose(heights / heights.max(), bins.count / bins.count.max())
    assert [int(text.get_text()) for text in ax.texts] == bins.count.tolist()
    assert legend_texts(ax) == [
        f"bar: calibration error {metrics.score(*data, n_bins=5).ece:.3f}"]


def test_reliability_leaves_empty_bins_out():
    ax = plots.plot_reliability([0, 1, 1], [.05, .95, 1], n_bins=10)
    line = ax.containers[-1].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [.05, .975])
    assert [text.get_text() for text in ax.texts] == ["1"] + ["0"] * 8 + ["2"]


def bars(ax):
    """Widths of the bars of one galaxy, without their gray tracks."""
    return [bar.get_width() for bar in ax.patches if to_hex(bar.get_facecolor()) != "#e8e8e8"]


def test_mosaic_draws_images_and_probabilities():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (5, 20, 20, 3)).astype(np.uint8)
    probabilities = rng.random((5, 3))
    axes = plots.plot_mosaic(images, probabilities, titles=list("abcde"), n_columns=2)
    assert axes.shape == (5, 2)
    for index, (image_ax, bars_ax) in enumerate(axes):
        np.testing.assert_array_equal(image_ax.images[0].get_array(), images[index])
        assert image_ax.get_title() == "abcde"[index]
        np.testing.assert_allclose(bars(bars_ax), probabilities[index])
        texts = [text.get_text() for text in bars_ax.texts]
        assert texts[::2] == [question.positive for question in QUESTIONS]
        assert texts[1::2] == [f"{value:.2f}" for value in probabilities[index]]


def test_mosaic_is_laid_out_in_rows_without_overlap():
    axes = plots.plot_mosaic(np.zeros((5, 8, 8, 3)), np.zeros((5, 3)), n_columns=3)
    boxes = [ax.get_position() for ax in axes.ravel()]
    assert all(0 <= box.x0 and box.x1 <= 1 and 0 <= box.y0 and box.y1 <= 1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes)
                   for b in (box.padded(-1e-6) for box in boxes[i + 1:]))
    first, second, fourth = (axes[i, 0].get_position() for i in (0, 1, 3))
    assert first.y0 == pytest.approx(second.y0) and first.x1 < second.x0
    assert fourth.x0 == pytest.approx(first.x0) and fourth.y1 < first.y0
    for image_ax, bars_ax in axes:
        assert bars_ax.get_position().y1 <= image_ax.get_position().y0 + 1e-9


def test_mosaic_says_what_is_not_classified():
    probabilities = np.ma.masked_invalid([[.9, np.nan, .3], [np.nan] * 3])
    axes = plots.plot_mosaic([np.full((4, 4, 3), 1.5), None], probabilities)
    assert bars(axes[0, 1]) == [.9, 0, .3]
    assert bars(axes[1, 1]) == [0, 0, 0]
    assert [[text.get_text() for text in ax.texts].count("not classified")
            for ax in axes[:, 1]] == [1, 3]
    assert axes[0, 0].images[0].get_array().max() == 1
    assert not axes[1, 0].images
    assert axes[1, 0].texts[0].get_text() == "no image"


def test_mosaic_on_a_given_figure():
    figure = plt.figure()
    left, _ = figure.subfigures(1, 2)
    axes = plots.plot_mosaic(np.zeros((1, 4, 4, 3)), [[.1, .2]], questions=QUESTIONS[:2],
                             figure=left)
    assert left.axes == axes.ravel().tolist()
    assert len(bars(axes[0, 1])) == 2


@pytest.mark.parametrize("images, shape, options, message", [
    (np.zeros((2, 4, 4, 3)), (3, 3), {}, r"shape \(2, 3\).*Received \(3, 3\)"),
    (np.zeros((2, 4, 4, 3)), (2, 2), {"questions": QUESTIONS},
     r"shape \(2, 3\).*Received \(2, 2\)"),
    (np.zeros((2, 4, 4, 3)), (2, 2), {},
     r"questions: expected one question for each of 2 .* none. Pass questions=clf.questions."),
    (np.zeros((2, 4, 4, 3)), (2,), {}, r"probabilities: expected shape \(2, 3\)"),
    (np.zeros((2, 4, 4)), (2, 3), {}, r"color images of shape \(y, x, 3\).*\(4, 4\)"),
    (np.zeros((2, 4, 4, 3)), (2, 3), {"titles": ["a"]}, r"titles: expected as many.*2.*Received 1"),
    (np.zeros((2, 4, 4, 3)), (2, 3), {"n_columns": 0}, r"n_columns: expected a positive integer"),
    ([], (0, 3), {}, r"at least one image"),
])
def test_mosaic_wrong_arguments(images, shape, options, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_mosaic(images, np.zeros(shape), **options)


def test_histogram_fills_what_is_likely(data):
    _, probabilities = data
    likely = probabilities > .4
    ax = plots.plot_histogram(np.ma.masked_greater(probabilities, .9), likely=likely, n_bins=10,
                              label="asked")
    filled, outlined = ax.patches[:10], ax.patches[10]
    counts, _ = np.histogram(probabilities, 10, (0, 1))
    counts[9] = 0
    heights = [bar.get_height() for bar in filled]
    np.testing.assert_array_equal(heights, counts * (np.arange(10) > 3))
    assert outlined.get_xy()[1:-1:2, 1].tolist() == counts.tolist()
    assert legend_texts(ax) == ["asked", "all"]
    assert len(plots.plot_histogram(probabilities, n_bins=10).patches) == 10
