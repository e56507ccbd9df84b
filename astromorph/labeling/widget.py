"""The same as the page in a notebook, through its kernel: no port is opened."""
from importlib.resources import files

try:
    import anywidget
except ImportError as error:
    raise ImportError("labeling in a notebook needs anywidget; "
                      "pip install 'astromorph[notebook]' brings it.") from error

__all__ = ["LabelWidget"]

_STATIC = files("astromorph.labeling").joinpath("static")


class LabelWidget(anywidget.AnyWidget):
    """A view of a conversation; show it at the end of a cell.

    Keys work while it has the focus: click on it first.

    Parameters
    ----------
    conversation : `~astromorph.labeling.conversation.Conversation`
        Who answers the browser.
    """

    _esm = _STATIC.joinpath("label.js").read_text(encoding="utf-8")
    _css = _STATIC.joinpath("label.css").read_text(encoding="utf-8")

    def __init__(self, conversation):
        super().__init__()
        self.conversation = conversation
        self.on_msg(self._receive)
        conversation.on_push(self._tell)

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
