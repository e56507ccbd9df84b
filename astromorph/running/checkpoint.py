"""Keep the results of a run in a folder, so that it can be interrupted and continued."""
import errno
import hashlib
import json
import os
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from astromorph.arguments import as_path
from astromorph.atomic import UNFINISHED, is_plain_file, remove_files, write_file
from astromorph.errors import warn, wrong
from astromorph.running.parts import are_without_answers, read_part
from astromorph.running.results import now

__all__ = ["PART_ROWS", "Checkpoint", "begin", "open_checkpoint"]

PART_ROWS = 1024
"""Number of rows in a part (int).

It is a multiple of the classifier's chunks, so that a continued run has the same chunks.
"""

LARGEST_MANIFEST = 2 ** 20
"""Largest manifest that is read, in bytes (int)."""

# Types of the columns of provenance, and their values for a row without an image.
_TYPES = {str: pa.string(), float: pa.float64()}
_NOTHING = {str: "", float: np.nan}
_ANEW = "Name another folder, or remove this one to start again."
_WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)


def open_checkpoint(folder, model, source, *, uncertainty=None, **options):
    """Make the checkpoint of a classification.

    Parameters
    ----------
    folder : path
        A new or empty folder, or the folder of the same run.
    model : `~astromorph.model.TrainedModel`
        The model that answers.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    uncertainty : str, optional
        Kind of the standard deviations, if there are any.
    **options
        Everything else that the answers depend on.

    Returns
    -------
    Checkpoint
        A context manager that is not entered yet.
    """
    known = [column for question in model.all_questions for column in question.answer_columns]
    columns = [column.name for column in known]
    numbers = [column.name for column in known if not column.is_probability]
    if uncertainty:
        columns, numbers = (names + [f"{name}_err" for name in names]
                            for names in (columns, numbers))
    return begin(folder, model, source, answers=columns, numbers=numbers,
                 precision=model.precision, uncertainty=uncertainty, **options)


def begin(folder, model, source, *, answers, numbers=(), **options):
    """Make the checkpoint of a run with any columns of answers.

    Parameters
    ----------
    folder, model, source
        See `open_checkpoint`.
    answers, numbers
        See `Checkpoint`.
    **options
        Everything that the answers depend on, beside the model and the galaxies.

    Returns
    -------
    Checkpoint
        A context manager that is not entered yet.
    """
    from astromorph import __version__

    identity = {"astromorph": __version__, **model.card.decisive, **source.identity(),
                "provenance": bool(source.provenance_columns), **options}
    return Checkpoint(folder, identity, answers=answers, numbers=numbers, date=now(), provenance={
        name: kind for name, (kind, *_) in source.provenance_columns.items()})


class Checkpoint:
    """The finished rows of a run, in a folder that one process at a time may use.

    It is a context manager. The folder holds ``manifest.json``, which identifies the run, and
    ``lock``. The results are in ``part-000000000.parquet`` and so on, each named by its first row,
    with `PART_ROWS` rows. Files are written completely or not at all.

    Parameters
    ----------
    folder : path
        A new or empty folder, or the folder of the same run.
    identity : dict
        Everything that the answers depend on, by name, in types of JSON.
    answers : list of str
        Columns of the answers.
    numbers : list of str
        Those of the columns that are not probabilities.
    provenance : dict of str to type, optional
        Columns of the provenance to their type, `str` or `float`.
    date : str
        Current time (UTC), the start of a new run.

    Attributes
    ----------
    date : str
        Start of the run (UTC), also if an earlier process started it.

    Raises
    ------
    ArgumentTypeError
        If ``folder`` is not a path.
    """

    def __init__(self, folder, identity, *, answers, numbers=(), provenance=None, date):
        self.folder = as_path(folder, "checkpoint")
        self.date = date
        self._identity = json.loads(json.dumps(identity, default=int))  # converts NumPy's integers
        self._answers, self._provenance = list(answers), dict(provenance or {})
        self._probabilities = [name for name in answers if name not in numbers]
        self._schema = pa.schema(
            [("row", pa.int64()), *((name, pa.float32()) for name in self._answers),
             ("morph_flag", pa.int32()),
             *((name, _TYPES[kind]) for name, kind in self._provenance.items())],
            metadata={"run": _digest(self._identity)})
        self._held = ExitStack()

    def __enter__(self):
        """Lock the folder, and start or continue the run.

        Raises
        ------
        ArgumentError
            If the folder belongs to another run, or holds other files.
        BlockingIOError
            If another process uses the folder.
        OSError
            If the folder cannot be written to.
        """
        with ExitStack() as stack, self._explaining():
            if self.folder.exists() and not self.folder.is_dir():
                raise wrong("checkpoint", "a folder", f"the file {self.folder}")
            if self.folder.exists():
                self._check()  # before any change, so that a wrong folder stays as it is
            self.folder.mkdir(parents=True, exist_ok=True)
            self._acquire(stack)
            begun = self._check()  # again, because now no other process can write
            remove_files(*self.folder.glob(UNFINISHED))  # left by a process that was killed
            if not begun:
                self._begin()
            self._held = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self._held.close()

    def restore(self, results, retryable=0):
        """Fill in the finished rows. Rows with a flag that another attempt may clear are not done.

        The rows of a damaged part are not done either. If no row has an answer, none is done.

        Parameters
        ----------
        results : `~astromorph.running.results.Results`
            The results to fill in.
        retryable : int
            Bits of flags that another attempt may clear.
        """
        for start in range(0, len(results), PART_ROWS):
            stop = min(start + PART_ROWS, len(results))
            part = self._read(start, stop)
            if part is None:
                continue
            for column, name in zip(results.answers.T, self._answers):
                column[start:stop] = part[name].to_numpy()
            results.flags[start:stop] = part["morph_flag"].to_numpy()
            if self._provenance:
                columns = [_values(part[name]) for name in self._provenance]
                results.provenance[start:stop] = zip(*columns, strict=True)
            results.done[start:stop] = results.flags[start:stop] & retryable == 0
        if np.isnan(results.answers[results.done]).all():
            results.done[:] = False

    def save(self, results, stop):
        """Write the part that ends at a row, if there is one and it has new rows.

        Parameters
        ----------
        results : `~astromorph.running.results.Results`
            The results so far.
        stop : int
            All rows before this one are finished.

        Raises
        ------
        OSError
            If the folder cannot be written to, for example because the disk is full. Earlier parts
            stay.
        """
        start = (stop - 1) // PART_ROWS * PART_ROWS
        ends = stop % PART_ROWS == 0 or stop == len(results)
        if ends and results.todo(start, stop).size:
            part = pa.BufferOutputStream()
            pq.write_table(self._table(results, start, stop), part, write_page_checksum=True)
            with self._explaining():
                write_file(self._path(start), part.getvalue(), durable=True)

    def _table(self, results, start, stop):
        """Convert rows to the table of a part."""
        nothing = [_NOTHING[kind] for kind in self._provenance.values()]
        provenance = zip(*(row or nothing for row in results.provenance[start:stop]))
        columns = [np.arange(start, stop), *results.answers[start:stop].T,
                   results.flags[start:stop], *(provenance if self._provenance else ())]
        return pa.table([pa.array(values, kind) for values, kind
                         in zip(columns, self._schema.types)], schema=self._schema)

    def _read(self, start, stop):
        """Read a part; None if it is missing or damaged."""
        path = self._path(start)
        if not os.path.lexists(path):
            return None
        part = read_part(path, self._schema, start, stop, self._probabilities)
        if part is None:
            warn(f"checkpoint: {path} is damaged. astromorph classifies its rows again.")
        return part

    def _path(self, start):
        return self.folder / f"part-{start:09d}.parquet"

    def _acquire(self, stack):
        """Lock the folder; if the process dies, the system ends the lock."""
        try:
            stack.enter_context(FileLock(self.folder / "lock", timeout=0))
        except Timeout:
            raise BlockingIOError(
                f"checkpoint: another process uses {self.folder}. Wait for it, stop it, or name "
                "another folder.") from None
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            warn(f"checkpoint: the folder {self.folder} cannot be locked ({error.strerror}). Make "
                 "sure that no other process uses it.")

    def _check(self):
        """Return whether the folder has this run already; raise if it has anything else."""
        path = self.folder / "manifest.json"
        if not os.path.lexists(path):
            self._check_empty()
            return False
        begun, run = self._read_manifest(path)
        others = run | {"images": self._identity.get("images")} == self._identity != run
        if others and are_without_answers(self.folder.glob("part-*.parquet"), self._answers):
            return False
        if differences := list(_differences(run, self._identity)):
            raise wrong("checkpoint", "the folder of this run",
                        f"{self.folder}, of a run with other {', '.join(differences)}",
                        f"Repeat the call of that run. {_ANEW}")
        self.date = begun
        return True

    def _read_manifest(self, path):
        try:
            if not is_plain_file(path, LARGEST_MANIFEST):
                raise ValueError("not a manifest of astromorph")
            manifest = json.loads(path.read_text())
            begun, run = manifest["begun"], dict(manifest["run"])
            if not isinstance(begun, str):
                raise TypeError("no date")
            return begun, run
        except (ValueError, KeyError, TypeError, RecursionError):
            raise wrong("checkpoint", "a new or empty folder, or that of an earlier run",
                        f"{self.folder}, whose {path.name} is damaged or not from astromorph",
                        _ANEW) from None

    def _begin(self):
        remove_files(*self.folder.glob("part-*.parquet"))  # without answers
        text = json.dumps({"begun": self.date, "run": self._identity}, indent=1)
        write_file(self.folder / "manifest.json", text.encode(), durable=True)

    def _check_empty(self):
        others = sorted(path.name for path in self.folder.iterdir()
                        if path.name != "lock" and not fnmatchcase(path.name, UNFINISHED))
        if others:
            raise wrong("checkpoint", "a new or empty folder, or that of an earlier run",
                        f"{self.folder}, which has no manifest.json but {others[0]!r}", _ANEW)

    @contextmanager
    def _explaining(self):
        """Add the folder, and what to do, to errors of the file system."""
        try:
            yield
        except BlockingIOError:
            raise
        except OSError as error:
            raise OSError(error.errno, f"checkpoint: cannot write to {self.folder} "
                          f"({error.strerror or error}). Its contents stay: make it writable, "
                          "and repeat the call to continue from there") from error


def _values(column):
    """Values of a column as Python objects; equal texts share one object to save memory."""
    values, known = column.to_pylist(), {}
    return ([known.setdefault(text, text) for text in values] if column.type == pa.string()
            else values)


def _digest(identity):
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _differences(there, now):
    """Yield the differences between two identities, in words."""
    for name in {**now, **there}:
        if there.get(name) != now.get(name):
            yield f"{name} ({there.get(name)!r} there, {now.get(name)!r} now)"
