"""Translate the errors of all clients of services to `FetchError`."""
import http.client
import json
import socket
import ssl
import urllib.error
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
import urllib3

from astromorph.errors import FetchError
from astromorph.flags import MorphFlag

__all__ = ["StatusError", "WaitsForItself", "check_status", "judging", "translate"]

_PASSING = 408, 425, 429  # also of a server that gave up an idle connection


class WaitsForItself(RuntimeError):
    """An attempt requests something else from its own host, which is a bug in a service."""


class StatusError(FetchError):
    """A service answered with an HTTP status of 400 or more.

    Parameters
    ----------
    status : int
        The HTTP status.
    host : str
        Name of the host that answered.
    retry_after : str, optional
        The header Retry-After: seconds, or a date.
    response : `requests.Response`, optional
        The whole answer.
    """

    def __init__(self, status, host, retry_after=None, response=None):
        wait = _seconds(retry_after, getattr(response, "headers", {}).get("Date"))
        message = f"{host} answered with HTTP status {status}{_phrase(status)}{_reason(response)}"
        if wait is not None:
            message += f" and asks to wait {wait:.0f} s"
        super().__init__(message, MorphFlag.SERVER_ERROR, retry=status in _PASSING or status >= 500,
                         retry_after=wait)
        self.status, self.response = status, response


def check_status(response):
    """Raise if a response has a status of 400 or more.

    Parameters
    ----------
    response : `requests.Response`
        The response.

    Raises
    ------
    StatusError
        If it has such a status.
    """
    if response.status_code >= 400:
        raise StatusError(response.status_code, urlsplit(response.url).netloc,
                          response.headers.get("Retry-After"), response)


def _seconds(retry_after, sent=None):
    """Seconds to wait according to a header Retry-After; None if it is missing or unreadable.

    ``sent`` is the header Date: the clock of the server may differ from the one here.
    """
    try:
        return max(0.0, float(int(retry_after)))
    except (TypeError, ValueError, OverflowError):
        pass
    now = _date(sent) or datetime.now(timezone.utc)
    until = _date(retry_after)
    return until and max(0.0, (until - now).total_seconds())


def _date(text):
    """The time of a header; None if it is missing or unreadable."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or timezone.utc)
    except Exception:  # unreadable dates fail in many ways
        return None


def _phrase(status):
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _reason(response):
    """The first line of an answer in plain text, which usually explains the error."""
    if response is None or "text/plain" not in response.headers.get("Content-Type", ""):
        return ""
    line = response.content[:1000].decode("utf-8", "replace").strip().partition("\n")[0]
    return f": {line:.120}" if line else ""


_NOBODY = "no connection, or it was closed without an answer"
# Exceptions, flag, whether to try again, and what happened. The first row that fits counts.
_MEANINGS = (
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError),
     MorphFlag.TIMED_OUT, True, "no answer in time"),
    ((ssl.SSLError, requests.exceptions.SSLError, urllib3.exceptions.SSLError),
     MorphFlag.SERVER_ERROR, True, "no secure connection"),
    ((requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError,
      urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError,
      http.client.IncompleteRead, urllib.error.ContentTooShortError),
     MorphFlag.UNREADABLE, True, "the answer broke off or was damaged on the way"),
    (json.JSONDecodeError, MorphFlag.UNREADABLE, True, "the answer is not the expected JSON"),
    ((ConnectionError, requests.ConnectionError, http.client.HTTPException, socket.gaierror,
      urllib.error.URLError),
     MorphFlag.SERVER_ERROR, True, _NOBODY),
    (requests.RequestException, MorphFlag.SERVER_ERROR, False, "the request failed"),
)


def _client_meanings():
    """Rows as in `_MEANINGS`, for exceptions of astroquery and pyvo."""
    import astroquery.exceptions  # only here: code that raised such an exception has loaded it
    import pyvo.dal.exceptions

    return (
        (astroquery.exceptions.TimeoutError, MorphFlag.TIMED_OUT, True, "no answer in time"),
        ((astroquery.exceptions.TableParseError, pyvo.dal.DALFormatError),
         MorphFlag.UNREADABLE, True, "the answer is not the expected table"),
        ((astroquery.exceptions.RemoteServiceError, pyvo.dal.DALServiceError),
         MorphFlag.SERVER_ERROR, True, "the service failed"),
        (pyvo.dal.DALQueryError, MorphFlag.SERVER_ERROR, False, "the service refused the query"),
    )


def translate(error, *, host="the service"):
    """Translate an exception from a client of an image service to a `FetchError`.

    Parameters
    ----------
    error : Exception
        Exception of requests, urllib3, urllib, `http.client`, sockets, astropy, astroquery or pyvo.
    host : str
        Name of the host, for the message.

    Returns
    -------
    FetchError or None
        None if the exception is not about the network or the answer. Then it shows a bug.
    """
    if isinstance(error, FetchError):
        return error
    if isinstance(error, (urllib.error.HTTPError, requests.HTTPError)):
        return _from_http_error(error, host)
    for inner in (getattr(error, "cause", None), getattr(error, "reason", None)):
        if isinstance(inner, Exception) and (known := translate(inner, host=host)):
            return known
    meaning = _find(error, _MEANINGS) or _find(error, _client_meanings())
    if meaning is None:
        return None
    _, flag, retry, what = meaning
    return FetchError(f"{host}: {what} ({_root(error)})", flag, retry=retry,
                      unreachable=what is _NOBODY)


@contextmanager
def judging(who):
    """Translate all errors of a request, and of the check of its answer, to `FetchError`.

    A bad answer may make any client, reader or check fail in any way.

    Parameters
    ----------
    who : str
        Name of the service or host, for the message.

    Raises
    ------
    FetchError
        If anything in the context raises.
    """
    try:
        yield
    except (FetchError, WaitsForItself):
        raise
    except Exception as error:
        raise translate(error, host=who) or FetchError(
            f"{who}: the answer makes no sense ({_root(error)})",
            getattr(error, "flag", MorphFlag.UNREADABLE)) from error


def _root(error):
    """Text of the innermost exception, because clients wrap exceptions in each other."""
    while inner := next((each for each in (*error.args, getattr(error, "reason", None),
                                           error.__cause__) if isinstance(each, Exception)), None):
        error = inner
    return f"{type(error).__name__}: {error!s:.150}".removesuffix(": ")


def _find(error, meanings):
    return next((row for row in meanings if isinstance(error, row[0])), None)


def _from_http_error(error, host):
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # frees the connection
        return StatusError(error.code, host, error.headers.get("Retry-After"))
    response = error.response
    return StatusError(response.status_code, host, response.headers.get("Retry-After"), response)
