"""Some of the galaxies of a source."""

__all__ = ["Rows"]


class Rows:
    """Some of the galaxies of a `~astromorph.galaxies.GalaxySource`, which is one, too.

    Parameters
    ----------
    source : `~astromorph.galaxies.GalaxySource`
    rows : sequence of int
    items : list, optional
        What iterating over the source gave; by default it is iterated over.
    """

    def __init__(self, source, rows, items=None):
        items = list(source) if items is None else items
        self._source, self._items = source, [items[row] for row in rows]

    def __getattr__(self, name):
        return getattr(self._source, name)

    def __len__(self):
        return len(self._items)

    def __iter__(self):
        return iter(self._items)

    def __enter__(self):
        self._source.__enter__()
        return self

    def __exit__(self, *exception):
        return self._source.__exit__(*exception)
