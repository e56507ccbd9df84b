"""The command line, ``astromorph``: one module a command.

Heavy imports stay inside the functions, so that ``--help`` and a mistyped argument answer at once.
"""
import json
import logging
import os
import sys
import time
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

from astromorph import __version__
from astromorph.cli import (adapt, cache, classify, demo, embed, evaluate, info, label, odd,
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
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0 when done, 1 if it failed or nothing could be done, 130 if it was
        interrupted; a wrong argument exits with 2.
    """
    _open_streams()
    args = build_parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's talk about the processor
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
    """Something to write to, where the caller closed the standard streams."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # for the rest of the process


class _Stream:
    """A standard stream as it is, but for what a subclass says."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)


class _Safe(_Stream):
    """Shows control characters, of names and of files of others, in place of obeying them."""

    def write(self, text):
        self._stream.write(printable(text))


class _Patient(_Stream):
    """Stops nobody who cannot write there: a message is no result."""

    def write(self, text):
        with suppress(OSError):
            self._stream.write(text)

    def flush(self):
        with suppress(OSError):
            self._stream.flush()


def _let_go(stream):
    """Have what a stream still holds go nowhere, lest Python fail on it at its end."""
    with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def build_parser():
    """The parser of the whole command line."""
    parser = Parser(prog="astromorph", description="Galaxy morphology for survey catalogs.",
                    epilog="'astromorph COMMAND --help' explains a command and shows examples.")
    parser.add_argument("--version", action="version", version=f"astromorph {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (classify, label, adapt, evaluate, suggest, embed, similar, odd, info, cache,
                    demo):
        command.add_parser(commands)
    return parser


def _run(args):
    """Exit status and summary of a command; errors that are for people are said in a line."""
    try:
        status, summary = args.run(args)
        if args.warning is not None:  # warnings are errors; what was computed is written
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
    """Say as much as is asked for; all but the summary of ``--json`` goes to stderr."""
    from astropy import log

    level, make = log.level, logging.getLogRecordFactory()
    disabled = logging.root.manager.disable
    logging.setLogRecordFactory(_in_our_words(make, args.parser))
    log.setLevel("DEBUG" if args.verbose else level)
    if args.quiet:
        logging.disable(logging.WARNING)  # whichever logger shows the warnings
    try:
        with redirect_stderr(_Patient(sys.stderr)), \
                redirect_stdout(_Safe(sys.stderr if args.json else sys.stdout)):
            yield
    finally:
        logging.setLogRecordFactory(make)
        log.setLevel(level)
        logging.disable(disabled)


def _in_our_words(make, parser):
    """A maker of what is logged, by whichever logger: warnings, too, of Astropy and astroquery.

    Advice names options; what names and services send cannot control the terminal.
    """
    def words(*args, **more):
        record = make(*args, **more)
        record.msg, record.args = printable(parser.spell(record.getMessage())), ()
        return record

    return words
