"""The command line, ``astromorph``; each command is a module.

Heavy imports stay inside the functions. ``--help`` and the error for a mistyped argument then
appear at once.
"""
import json
import logging
import os
import sys
import time
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

from astromorph import __version__
from astromorph.cli import (adapt, cache, classify, demo, embed, evaluate, info, label, look, odd,
                            similar, suggest)
from astromorph.cli.parsing import Parser, explain
from astromorph.printing import printable

__all__ = ["build_parser", "main"]

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        By default, the arguments of the process.

    Returns
    -------
    int
        Exit status: 0 if the command succeeded, 1 if it failed or no galaxy could be classified,
        130 if it was interrupted. A wrong argument exits with 2.
    """
    _open_streams()
    args = build_parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hide TensorFlow's notes on the processor
    started = time.monotonic()
    with _speaking(args):
        status, summary = _run(args)
    try:
        if args.json:
            print(json.dumps({"command": args.parser.prog.split()[-1], "version": __version__,
                              "status": status, **summary,
                              "seconds": round(time.monotonic() - started, 1)}, default=str))
        sys.stdout.flush()
    except OSError as error:
        _complain(args, f"the standard output cannot be written: {error.strerror or error}")
        _let_go(sys.stdout)
        status = status or FAILED
    try:
        sys.stderr.flush()
    except OSError:
        _let_go(sys.stderr)
    return status


def _open_streams():
    """Replace standard streams that the caller closed by ones that write nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # for the rest of the process


class _Stream:
    """A standard stream; subclasses change how it writes."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)


class _Safe(_Stream):
    """A stream that shows control characters, and those that it cannot encode, as escapes."""

    def write(self, text):
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(printable(text).encode(encoding, "backslashreplace").decode(encoding))


class _Patient(_Stream):
    """A stream that ignores failing writes: a lost message must not stop the run."""

    def write(self, text):
        with suppress(OSError):
            self._stream.write(text)

    def flush(self):
        with suppress(OSError):
            self._stream.flush()


def _let_go(stream):
    """Drop what a stream still holds; otherwise Python fails on it when it exits."""
    with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def build_parser():
    """Return the parser of the whole command line."""
    parser = Parser(prog="astromorph", description="Galaxy morphology for survey catalogs.",
                    epilog="'astromorph COMMAND --help' explains a command and shows examples.")
    parser.add_argument("--version", action="version", version=f"astromorph {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (classify, label, adapt, evaluate, suggest, embed, similar, odd, look, info,
                    cache, demo):
        command.add_parser(commands)
    return parser


def _run(args):
    """Exit status and summary of a command; an expected error becomes one line."""
    try:
        status, summary = args.run(args)
        if args.warning is not None:  # a warning raised as an error, after the output was written
            return FAILED, summary | _complain(args, explain(args, args.warning))
        return status, summary
    except KeyboardInterrupt:
        return INTERRUPTED, _complain(args, "interrupted" + getattr(args, "if_interrupted", ""))
    except Exception as error:
        if not _is_for_people(error):
            raise
        if args.verbose:
            print(printable(traceback.format_exc()), file=sys.stderr)
        return FAILED, _complain(args, explain(args, error))


def _complain(args, error):
    line = printable(" ".join(str(error).split())) or type(error).__name__
    print(f"{args.parser.prog}: error: {line}", file=sys.stderr)
    return {"error": line}


def _is_for_people(error):
    from astromorph.errors import AstromorphWarning, ImageError

    return isinstance(error, (OSError, ValueError, TypeError, ImportError, ImageError,
                              AstromorphWarning))


@contextmanager
def _speaking(args):
    """Set how much astromorph says; with ``--json`` only the summary goes to stdout."""
    from astropy import log

    level, make = log.level, logging.getLogRecordFactory()
    disabled = logging.root.manager.disable
    logging.setLogRecordFactory(_in_our_words(make, args.parser))
    log.setLevel("DEBUG" if args.verbose else level)
    if args.quiet:
        logging.disable(logging.WARNING)  # for every logger that may show the warnings
    try:
        with redirect_stderr(_Patient(sys.stderr)), \
                redirect_stdout(_Safe(sys.stderr if args.json else sys.stdout)):
            yield
    finally:
        logging.setLogRecordFactory(make)
        log.setLevel(level)
        logging.disable(disabled)


def _in_our_words(make, parser):
    """A factory of log records that names options in advice, for every logger.

    Names and answers of services cannot control the terminal.
    """
    def words(*args, **more):
        record = make(*args, **more)
        record.msg, record.args = printable(parser.spell(record.getMessage())), ()
        return record

    return words
