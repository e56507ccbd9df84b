"""The page as a widget in a notebook. It talks through the kernel and opens no port."""
import re
from importlib.resources import files

from astromorph.distribution import missing

try:
    import anywidget
except ImportError as error:
    raise missing("Labeling in a notebook", "anywidget", "notebook") from error

__all__ = ["GalleryWidget", "LabelWidget"]

_SHARED = re.compile(r"^(import .* from \"./[a-z]+.js\"|export \{.*\});\n", re.MULTILINE)


def _static(*names):
    """Join files to one module for a notebook, without imports and exports of each other."""
    folder = files("astromorph.labeling").joinpath("static")
    return _SHARED.sub("", "\n".join(folder.joinpath(name).read_text(encoding="utf-8")
                                     for name in names))


class LabelWidget(anywidget.AnyWidget):
    """A view of a conversation. Show it at the end of a cell.

    Click on it first: keys work while it has the focus.

    Parameters
    ----------
    conversation : `~astromorph.labeling.conversation.Conversation`
        Who answers the browser.
    """

    _esm, _css = _static("common.js", "curves.js", "label.js"), _static("label.css")

    def __init__(self, conversation):
        super().__init__()
        self.conversation = conversation
        self.on_msg(self._receive)
        conversation.on_push(self._tell)

    @property
    def labels(self):
        """The labels so far (`~astropy.table.Table`)."""
        return self.conversation.session.labels()

    def close(self):
        """Write the table, and let others use its journal."""
        super().close()
        self.conversation.close()

    def _receive(self, widget, message, buffers):
        try:
            replies = self.conversation.receive(message)
        except Exception as error:  # the view goes on, and its answers are kept there
            replies = [({"type": "error", "message": f"astromorph: {error}",
                         "refused": False, "id": message.get("id")}, None)]
        for reply, data in replies:
            self._tell(reply, data)

    def _tell(self, message, data=None):
        self.send(message, None if data is None else [data])


class GalleryWidget(LabelWidget):
    """A view of a gallery, see `~astromorph.labeling.look`.

    Parameters
    ----------
    conversation : `~astromorph.labeling.looking.LookConversation`
        Who answers the browser.
    """

    _esm, _css = _static("common.js", "grid.js", "look.js"), _static("label.css", "look.css")

    @property
    def selection(self):
        """The selected rows of the table (`~astropy.table.Table`)."""
        return self.conversation.gallery.selection

    @property
    def labels(self):
        """The corrections, see `~astromorph.labeling.session.LabelSession.labels`."""
        return self.conversation.gallery.session.labels()
