"""Write the tables of docs/limits.rst: ``python benchmarks/limits.py docs``.

They are parts of ``robustness_pinwheel_table``: run this again when that one is measured again.
"""
import argparse
from pathlib import Path

from documents import list_table, read_list_table, write_table

LIMITS = {
    "seeing": ("blur, sigma in R90", "pixels to R90"),
    "depth": ("noise", "exposure"),
    "color": ("saturation of color", "one band", "synthetic VIS"),
    "center": ("white middle, from a share of its peak", "off the center, R90"),
    "stretch": ("linear, white from percentile", "plate, grain"),
}
"""Limit -> the changes that show it."""
COLUMNS = ("change", "size", "disk, gz2", "edge_on, gz2", "bar, efigi", "bar, sdss24",
           "bar, DECam", "``UNUSUAL``")


def tables(out):
    """Name -> lines, of each limit."""
    rows = read_list_table(out, "robustness_pinwheel_table")
    return {f"limits_{limit}_table": list_table("ROC areas of the default network", COLUMNS, [
        [row[name] for name in COLUMNS] for row in rows if row["change"] in ("as it is", *changes)])
        for limit, changes in LIMITS.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the documentation")
    args = parser.parse_args()
    for name, lines in tables(args.out).items():
        write_table(args.out, name, lines)


if __name__ == "__main__":
    main()
