"""``astromorph cache`` shows or clears the cache of images."""
from pathlib import Path

from astromorph.cli.parsing import add_command, survey_or_record

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph cache info
astromorph cache clear --older-than 90
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "cache", run, "Show or clear the cache of images.", _EXAMPLES)
    add = parser.add_argument
    add("action", choices=["info", "clear"], help="info: show what the cache holds; clear: remove "
        "images")
    add("--folder", type=Path, metavar="DIR", help="folder of the cache; default: the usual one")
    add("--survey", type=survey_or_record, metavar="NAME", help="clear only images of this survey")
    add("--older-than", type=float, metavar="DAYS", help="clear only images older than this")


def run(args):
    """Return the exit status and the summary."""
    from astropy import units as u

    from astromorph.cutouts.cache import CutoutCache

    cache = CutoutCache(args.folder)
    if args.action == "info":
        if args.survey or args.older_than is not None:
            args.parser.error("--survey and --older-than need the action clear")
        held = cache.info()
        print("\n".join(f"{name:<10} {value}" for name, value in held.items()))
        return 0, held
    older_than = None if args.older_than is None else args.older_than * u.day
    removed = cache.clear(older_than=older_than, survey=getattr(args.survey, "name", args.survey))
    print(f"Removed {removed['entries']} images, {removed['bytes'] / 1e6:.1f} MB.")
    return 0, {"removed": removed}
