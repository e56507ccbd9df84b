"""Choose galaxies to label: uncertain ones that differ from each other."""
import numpy as np
from astropy.table import Column

from astromorph.arguments import check_count, check_whole
from astromorph.questions import probability_asked, split_answers
from astromorph.running import run
from astromorph.running.results import clear_answers

__all__ = ["principal_axes", "suggest", "suggest_rows", "total_entropy"]

_COMPONENTS = 20
_TINY = 1e-12


def suggest(model, source, n, *, seed=0, **options):
    """Suggest galaxies of a source to label.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model that answers.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    n, seed
        See `~astromorph.classifier.MorphologyClassifier.suggest`.
    **options
        Options of `~astromorph.running.run`.

    Returns
    -------
    `~astropy.table.Table`
        See `~astromorph.classifier.MorphologyClassifier.suggest`.
    """
    check_count(n, "n")
    check_whole(seed, "seed", 0, 2**32 - 1)
    model = model.asking()
    questions = model.all_questions
    results = run(source, model.raw_with_features, size=model.size, frame_r90=model.frame_r90,
                  prepare=model.prepare, watch=model.watch(), **options)
    usable = np.flatnonzero(np.isfinite(results.answers).all(axis=1))
    raw, features = results.answers, results.answers[usable, len(model.questions):]
    results.answers = model.complete(raw).astype(np.float32)
    entropy = total_entropy(questions, results.answers[usable])
    chosen = usable[suggest_rows(features, entropy, n, seed=seed)]
    table = source.table
    clear_answers(table, model, questions)
    table = results.to_table(table, questions, meta=model.provenance)[chosen]
    table.add_column(Column(chosen, "morph_row", description="Row in the data"), 0)
    return table


def total_entropy(questions, probabilities):
    """Measure how much the labels of each galaxy would tell, in nats.

    The sum, over questions, of the entropy of the answer times the probability that the question is
    asked.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
        Parents before their children.
    probabilities : `~numpy.ndarray`, shape (n, columns)
        The columns of the questions. Numbers have a value and its standard deviation.

    Returns
    -------
    `~numpy.ndarray`, shape (n,)

    Examples
    --------
    The galaxy between the answers tells most:

    >>> import numpy as np
    >>> from astromorph import QUESTIONS
    >>> from astromorph.learning.suggesting import total_entropy
    >>> total_entropy(QUESTIONS[:1], np.array([[0.01], [0.5], [0.9]])).round(2)
    array([0.06, 0.69, 0.33])
    """
    answers = split_answers(questions, np.asarray(probabilities, float))
    weights = probability_asked(questions, [np.clip(each[:, 0], _TINY, 1 - _TINY)
                                            for each in answers])
    return sum(weight * _entropy(question, each)
               for question, weight, each in zip(questions, weights, answers, strict=True))


def _entropy(question, answers):
    """Entropy of each galaxy's answer; for a number, what a label would tell beyond the usual."""
    if question.kind == "number":
        usual = np.median(answers[:, 1]) if len(answers) else 1.0
        return np.log1p((answers[:, 1] / usual)**2) / 2
    p = np.clip(answers, _TINY, 1 - _TINY)
    p = np.hstack([p, 1 - p]) if question.kind == "yes_no" else p
    return -(p * np.log(p)).sum(axis=1)


def suggest_rows(features, entropy, n, *, seed=0):
    """Choose galaxies to label.

    The method is k-means++ [1]_ on the principal components of the features. It draws one galaxy
    after the other, with a chance proportional to the entropy times the squared distance from the
    nearest galaxy drawn before. The most uncertain galaxies alone teach less than random ones,
    because they are alike.

    Parameters
    ----------
    features : `~numpy.ndarray`, shape (galaxies, features)
        Features of the galaxies.
    entropy : `~numpy.ndarray`, shape (galaxies,)
        See `total_entropy`.
    n : int
        Number of galaxies to choose. If there are fewer, all are chosen.
    seed : int
        Seed of the draw: the same seed chooses the same galaxies.

    Returns
    -------
    `~numpy.ndarray` of int
        Row numbers, those to label first in front.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not a positive whole number.

    References
    ----------
    .. [1] Arthur & Vassilvitskii 2007, Proc. 18th ACM-SIAM Symp. Discrete Algorithms, 1027.

    Examples
    --------
    Two galaxies are alike, so that one of them is enough:

    >>> import numpy as np
    >>> from astromorph.learning.suggesting import suggest_rows
    >>> features = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 1.0]])
    >>> sorted(suggest_rows(features, np.array([0.6, 0.0, 0.6]), 2).tolist())
    [0, 2]
    """
    check_count(n, "n")
    by_entropy = np.argsort(-entropy, kind="stable")
    if len(by_entropy) < 2:
        return by_entropy
    from sklearn.cluster import kmeans_plusplus  # slow to import

    center, axes = principal_axes(features, _COMPONENTS)
    _, drawn = kmeans_plusplus(
        (features - center) @ axes, min(n, len(features)), sample_weight=entropy + _TINY,
        random_state=seed, n_local_trials=1)
    # If the remaining galaxies equal drawn ones, all distances are 0, and a row is drawn twice.
    return np.array(list(dict.fromkeys([*drawn, *by_entropy])))[:n]


def principal_axes(features, n):
    """Find the directions along which galaxies differ most: principal components of their features.

    Each component is divided by the fourth root of its variance. This makes the components more
    equal in length, but not fully.

    Parameters
    ----------
    features : `~numpy.ndarray`, shape (galaxies, features)
        Features of the galaxies.
    n : int
        Largest number of directions.

    Returns
    -------
    center : `~numpy.ndarray`, shape (features,)
        To subtract from features.
    axes : `~numpy.ndarray`, shape (features, n)
        To multiply the difference by.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.learning.suggesting import principal_axes
    >>> features = np.array([[0.0, 1.0], [16.0, 1.0], [8.0, 1.0], [8.0, 1.5]])
    >>> center, axes = principal_axes(features, 1)
    >>> center, abs(axes.ravel()).round(1)
    (array([8.   , 1.125]), array([0.2, 0. ]))
    """
    center, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = (features - center) / scale
    variances, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    weights = np.clip(variances, _TINY, None) ** -0.25
    return center, (axes * weights)[:, -n:] / scale[:, None]
