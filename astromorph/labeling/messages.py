"""How all conversations with a page answer messages."""
from astromorph.errors import ImageError, wrong
from astromorph.labeling.galaxies import one_line

__all__ = ["Talker", "answer_message", "as_asked", "is_finite", "one", "text_of"]


class Talker:
    """The base of conversations: sends messages that no page asked for."""

    def __init__(self):
        self._push = []

    def on_push(self, callback):
        """Register a page, which then receives messages that it did not ask for.

        Parameters
        ----------
        callback : callable
            Called with a message and bytes or None, in any thread. It is removed once it raises.

        Returns
        -------
        callable
            Call it to remove the page.
        """
        self._push.append(callback)
        return lambda: callback in self._push and self._push.remove(callback)

    def _tell(self, replies):
        for callback in list(self._push):
            for reply, data in replies:
                try:
                    callback(reply, data)
                except Exception:  # a page that is gone
                    callback in self._push and self._push.remove(callback)


def answer_message(known, message):
    """Answer a message of a page, whatever its content.

    Parameters
    ----------
    known : dict of str to callable
        ``type`` of a message -> function that takes it and returns the replies.
    message : dict

    Returns
    -------
    list of (dict, bytes or None)
        The reply "error" says what is wrong. ``refused`` is true if another attempt would fail
        again.
    """
    try:
        kind = message["type"]
        if not isinstance(kind, str) or kind not in known:
            raise wrong("type", f"one of {', '.join(known)}", f"{kind!r:.40}")
        return known[kind](message)
    except KeyError as error:
        reason, refused = f"the message has no {error}", True
    except (OSError, ValueError, TypeError, RuntimeError, ImageError) as error:
        reason, refused = one_line(error), not isinstance(error, OSError)
    told = message.get("id") if isinstance(message, dict) else None
    return one("error", message=reason, refused=refused,
               **({"id": told} if isinstance(told, str) else {}))


def one(kind, data=None, **content):
    """Give one reply, with bytes or without (list of one)."""
    return [({"type": kind, **content}, data)]


def as_asked(questions, keys):
    """Say how questions are answered: by keys, or by a number that is typed.

    Parameters
    ----------
    questions : sequence of `~astromorph.questions.Question`
    keys : iterable of `~astromorph.labeling.keys.AnswerKey`

    Returns
    -------
    dict
        Parts of a message: ``keys``, each with its title, and ``number``, None or a title, a unit
        and the limits.
    """
    numbers = [{"title": one_line(each.positive), "unit": each.unit,
                "limits": each.limits and list(each.limits)}
               for each in questions if each.kind == "number"]
    return {"keys": [{"key": each.key, "title": one_line(each.title)} for each in keys],
            "number": numbers[0] if numbers else None}


def is_finite(value):
    """Whether a value is a finite number for the journal."""
    return type(value) in (int, float) and abs(value) < 1e300


def text_of(message, name):
    """Give a text of a message, which must be there and short."""
    value = message[name]
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise wrong(name, "a text of at most 100 characters", f"{value!r:.40}")
    return value
