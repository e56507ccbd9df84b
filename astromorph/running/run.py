"""Run the network on the galaxies of a source."""
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain, compress, islice

import numpy as np

from astromorph.arguments import check_choice, check_count
from astromorph.errors import warn
from astromorph.flags import MorphFlag
from astromorph.model.trained import SPREADS
from astromorph.running.results import Results, clear_answers
from astromorph.running.streaming import (Outcomes, in_groups, one_blas_thread, read_ahead,
                                          thread_pool)

__all__ = ["classify", "predict", "read_frames", "run"]

CHUNK = 128
"""Number of rows that the network answers together, each in its own place (int)."""


def classify(model, source, *, questions=None, uncertainty=None, joint=False, batch_size=128,
             precision=None, threads=None, progress=None, checkpoint=None):
    """Classify the galaxies of a source.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model that answers.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    questions, uncertainty, joint, batch_size, precision, threads, progress, checkpoint
        See `~astromorph.classifier.MorphologyClassifier.classify`.

    Returns
    -------
    `~astropy.table.Table`
        The source's table with the new columns.

    Raises
    ------
    ArgumentError
        If an argument has the wrong type or value, or ``checkpoint`` belongs to another run.
    OSError
        If another process uses ``checkpoint``, or it cannot be written to.
    """
    check_choice(uncertainty, "uncertainty", (None, *SPREADS))
    check_count(batch_size, "batch_size")
    shown, whole, model = model.find_questions(questions), model, model.asking(questions)
    _warn_of_replaced(source.table, shown)
    if len(source):
        model = model.in_precision(precision)
        answer = partial(model.answer_with_spread, uncertainty) if uncertainty else model.answer
        saved = None
        if checkpoint is not None:
            from astromorph.running.checkpoint import open_checkpoint  # loads Arrow

            saved = open_checkpoint(checkpoint, model, source, uncertainty=uncertainty,
                                    batch_size=batch_size)
        with saved or nullcontext():
            results = run(source, answer, size=model.size, frame_r90=model.frame_r90,
                          prepare=model.prepare, watch=model.watch(), batch_size=batch_size,
                          threads=threads, progress=progress, checkpoint=saved)
    else:  # Dask asks with no rows which columns there will be, and needs no network for that
        width = sum(len(question.columns) for question in model.all_questions)
        results = Results(0, width * (2 if uncertainty else 1))
    table, kept = source.table, clear_answers(source.table, whole, shown)
    return results.to_table(table, model.all_questions, shown=shown, joint=joint,
                            spread=uncertainty and SPREADS[uncertainty],
                            provenance_columns=source.provenance_columns, meta=model.provenance | {
                                "MORPHMDL": whole.asking([*shown, *kept]).identity})


def _warn_of_replaced(table, questions):
    """Warn if answers replace columns of the user; columns of an earlier run may be replaced."""
    names = {column for question in questions for column in question.columns}
    if (lost := names & set(table.colnames)) and "morph_flag" not in table.colnames:
        warn(f"The answers replace the table's own columns {', '.join(sorted(lost))}. Rename the "
             "columns that you want to keep.")


def predict(model, source):
    """Compute the answers for galaxies whose images must all be good.

    Parameters
    ----------
    model, source
        See `classify`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, columns)
        Answers to the default questions.

    Raises
    ------
    `~astromorph.errors.ImageError`
        If an image is missing or cannot be used.
    """
    model, pixels = model.asking(), prepare(model, source)
    return (model.answer(pixels) if len(pixels)
            else np.empty((0, sum(len(each.columns) for each in model.all_questions))))


def prepare(model, source):
    """Return the pixels that the network sees; raise an error if any image cannot be used.

    Parameters
    ----------
    model, source
        As for `classify`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, size, size, 3), float32

    Raises
    ------
    `~astromorph.errors.ImageError`
        If an image is missing or cannot be used.
    """
    with source:
        frames = []
        for item in source:
            loaded = source.load(item, model.size, model.frame_r90, 0)
            if loaded.error is not None:
                raise loaded.error
            frames.append(loaded.pixels)
    return (np.stack(model.prepare(frames)) if frames
            else np.empty((0, model.size, model.size, 3), np.float32))


def run(source, answer, *, size, frame_r90, prepare, watch, batch_size=128, threads=None,
        progress=None, checkpoint=None):
    """Run a function on the frames of all galaxies of a source.

    Threads read rows ahead while the network works. Images take a constant amount of memory.

    Parameters
    ----------
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    answer : callable
        Takes network pixels (n, size, size, 3) and ``batch_size``, and returns an array (n, width).
    size : int
        Side of the network's frame in pixels.
    frame_r90 : float
        Width of the frame in R90 of the galaxy.
    prepare : callable
        Takes frames and returns a list of network pixels.
    watch : `~astromorph.model.domain.DomainWatch`
        Flags unusual images.
    batch_size, threads, progress
        See `classify`.
    checkpoint : `~astromorph.running.checkpoint.Checkpoint`, optional
        An entered checkpoint, which holds finished rows and stores new ones.

    Returns
    -------
    Results
    """
    check_count(batch_size, "batch_size")
    answer = partial(answer, batch_size=min(batch_size, CHUNK))  # no more rows come together
    results = Results(len(source), answer(np.empty((0, size, size, 3), np.float32)).shape[1])
    if checkpoint:
        checkpoint.restore(results, source.retryable)
        results.date = checkpoint.date
    load = partial(_load_and_prepare, source, prepare, watch, size, frame_r90)
    with _reading(source, load, threads, progress, results) as (stream, outcomes):
        for stop in _answer_rows(results, stream, answer, size):
            if checkpoint:
                checkpoint.save(results, stop)
    outcomes.warn("classified")
    watch.warn()
    _warn_of_mixed_bands(results.flags)
    return results


def _warn_of_mixed_bands(flags):
    """Warn once if gray and color images were classified together."""
    gray = flags[flags & MorphFlag.UNCLASSIFIED == 0] & MorphFlag.ONE_BAND != 0
    if gray.any() and not gray.all():
        warn(f"{gray.sum()} of {gray.size} images have one band, the others several. Answers "
             "differ in quality between the two; the flag ONE_BAND marks images of one band.",
             late=True)


def read_frames(source, *, size, frame_r90, margin=0, threads=None, progress=None):
    """Read the frames of all galaxies of a source, in order.

    Parameters
    ----------
    source, size, frame_r90, threads, progress
        See `run`.
    margin : int
        Pixels to read around the frame.

    Yields
    ------
    `~numpy.ndarray` or None
        The frame, not prepared for the network; None if it could not be loaded.
    """
    def load(group):
        return [source.load(item, size, frame_r90, margin) for item in group]

    with _reading(source, load, threads, progress) as (stream, outcomes):
        for loaded in stream:
            yield loaded.pixels
    outcomes.warn("read")


def _load_and_prepare(source, prepare, watch, size, frame_r90, group):
    """Load some rows, and replace their frames by network pixels."""
    rows = [source.load(item, size, frame_r90, 0) for item in group]
    good = [k for k, row in enumerate(rows) if row.pixels is not None]
    pixels = prepare(rows[k].pixels for k in good)
    for k, image, unusual in zip(good, pixels, watch.look(pixels), strict=True):
        rows[k] = rows[k]._replace(pixels=image, flag=rows[k].flag | unusual)
    return rows


def _answer_rows(results, stream, answer, size):
    """Fill in the rows that are not done, chunk by chunk; yield the end of each chunk."""
    pixels = np.zeros((CHUNK, size, size, 3), np.float32)
    for start in range(0, len(results), CHUNK):
        stop = min(start + CHUNK, len(results))
        good = []
        for row, loaded in zip(todo := results.todo(start, stop), islice(stream, todo.size)):
            results.flags[row], results.provenance[row] = loaded.flag, loaded.provenance
            if loaded.pixels is not None:
                pixels[row - start] = loaded.pixels
                good.append(row - start)
        if good:  # each row in its own place, so that other rows of its batch do not affect it
            answers = answer(pixels[:stop - start])
            results.answers[start:stop][good] = answers[good]
        yield stop


@contextmanager
def _reading(source, load, threads, progress, results=None):
    """Read rows ahead by threads; yield the stream of loaded rows and their `Outcomes`.

    ``load`` takes a group of rows. Rows that are done according to ``results`` are left out.
    """
    done = np.zeros(len(source), bool) if results is None else results.done
    flags = () if results is None else results.flags[done]
    if threads is not None:
        check_count(threads, "threads")
    with ExitStack() as stack:
        pool = stack.enter_context(thread_pool(threads or source.threads))
        stack.enter_context(source)  # closes before the pool, so that open requests end
        outcomes = stack.enter_context(Outcomes(len(source), progress, "galaxies", flags))
        stack.enter_context(one_blas_thread())
        groups = read_ahead(pool, load, in_groups(compress(source, ~done), source.chunk),
                            source.prefetch // source.chunk)
        yield outcomes.counting(chain.from_iterable(groups), np.flatnonzero(~done)), outcomes
