"""The files of a gallery: the selected galaxies, and the corrections."""
from pathlib import Path

from astromorph.errors import warn, wrong
from astromorph.labeling.galaxies import one_line
from astromorph.labeling.opening import journal_of
from astromorph.tables import check_columns, table_format, write_table

__all__ = ["LookOutput", "corrections_journal"]


class LookOutput:
    """The files of a gallery. Call it to write them.

    Parameters
    ----------
    gallery : `~astromorph.labeling.gallery.Gallery`
    output : path, optional
        Table of the selected galaxies.
    labels : path, optional
        Table of the corrections.
    output_format : str, optional
        Of ``output``, as for `~astromorph.tables.read_table`.

    Raises
    ------
    ValueError
        If both are one file, or the name of one tells no format.
    """

    def __init__(self, gallery, output=None, labels=None, output_format=None):
        if None not in (output, labels) and Path(output).absolute() == Path(labels).absolute():
            raise wrong("labels", "another file than that of the selected galaxies", str(labels))
        self._gallery, self._was_written = gallery, False
        self._output = output and (output, table_format(output, output_format))
        self._labels = labels and (labels, table_format(labels))

    def __bool__(self):
        return bool(self._output or self._labels)

    @property
    def is_due(self):
        """Whether there is something to write at the end."""
        gallery = self._gallery
        return self._was_written or bool(gallery.chosen.any()) or gallery.has_answers

    def __call__(self):
        """Write the tables.

        Returns
        -------
        list of str
            Paths of the files.
        """
        gallery, paths = self._gallery, []
        if self._labels and gallery.has_answers:
            paths.append(_write(gallery.session.labels(), *self._labels))
        if self._output:
            paths.insert(0, _write(gallery.selection, *self._output))
        self._was_written = True
        return paths


def _write(table, path, format):
    """Write the columns that a format can hold."""
    held = table.colnames if _can_hold(format, table) else [
        name for name in table.colnames if _can_hold(format, table[[name]])]
    if lost := [repr(one_line(name)) for name in table.colnames if name not in held]:
        warn(f"{one_line(path)} lacks {', '.join(lost)}: {format} cannot hold them.")
    write_table(table[held], path, overwrite=True, format=format)
    return one_line(path)


def _can_hold(format, table):
    try:
        check_columns(table, format)
    except ValueError:
        return False
    return True


def corrections_journal(labels):
    """Give the name of the journal of a table of corrections.

    Parameters
    ----------
    labels : path or None

    Returns
    -------
    `~pathlib.Path` or None

    Raises
    ------
    FileExistsError
        If the table exists without its journal.
    """
    if labels is None:
        return None
    journal = journal_of(labels).absolute()
    if Path(labels).exists() and not journal.exists():
        raise FileExistsError(f"{labels} exists and has no journal, {journal}; choose another name")
    return journal
