"""Write the tables of docs/data_model.rst from the code: ``python benchmarks/data_model.py docs``.

The columns are those of a table that `classify` and its like have made of simulated galaxies.
"""
import argparse
from pathlib import Path

from documents import list_table, write_table

from astromorph import QUESTIONS, MorphFlag, MorphologyClassifier, odd, similar
from astromorph.cutouts import PROVENANCE as CUTOUT_COLUMNS
from astromorph.datasets import load_sample
from astromorph.flags import flag_meanings
from astromorph.running.results import add_provenance
from astromorph.tables import PROVENANCE

KINDS = {"f": "float", "i": "int", "U": "text"}
HEADER = ["column", "type", "unit", "UCD", "description"]


def classified():
    """A table with the columns that there can be, and the columns that it came with."""
    classifier = MorphologyClassifier.from_pretrained("sdss")
    sample = load_sample()[:3]
    table = classifier.classify(sample, images="file", r90="petroR90", questions="all",
                                uncertainty="views", joint=True, progress=False)
    add_provenance(table, CUTOUT_COLUMNS, [None] * len(table))
    table = classifier.embed(table, images="file", r90="petroR90", views=1, progress=False)
    for name, result in (("similarity", similar(table, 0, n=1)), ("oddness", odd(table))):
        table[name] = result[name][0]
        table[name].info.description = result[name].description
        table[name].meta.update(result[name].meta)
    return table, sample.colnames


def option_of(name):
    """What brings a column."""
    endings = {"_err": "``classify(uncertainty=...)``", "_joint": "``classify(joint=True)``"}
    others = {"features": "``embed``", "similarity": "``similar``", "oddness": "``odd``"}
    always = {"morph_flag", *(question.column for question in QUESTIONS)}
    return (others.get(name) or next((by for end, by in endings.items() if name.endswith(end)), "")
            or ("``classify(provenance=True)``, of positions" if name in CUTOUT_COLUMNS else
                "``classify``" if name in always else '``classify(questions="all")``'))


def column_row(name, column):
    """Text row of a column."""
    size = column.dtype.itemsize * 8 if column.dtype.kind in "fi" else ""
    shape = "".join(f"[{length}]" for length in column.shape[1:])
    return [f"``{name}``", f"{KINDS[column.dtype.kind]}{size}{shape}",
            f"``{column.unit}``" if column.unit else "", f"``{column.meta['ucd']}``",
            column.description]


def column_tables(table, own):
    """Lines of a table for each option, of the columns that are not the user's own."""
    rows = {}
    for name in table.colnames:
        if name not in own:
            rows.setdefault(option_of(name), []).append(column_row(name, table[name]))
    return [line for option, some in rows.items() for line in list_table(option, HEADER, some)]


def flag_rows():
    """Text rows of the bits of ``morph_flag``."""
    for name, meaning in flag_meanings().items():
        flag = MorphFlag[name]
        yield [f"{flag.bit_length() - 1}", f"{flag.value}", f"``{name}``",
               "none" if flag & MorphFlag.UNCLASSIFIED else "given", meaning]


def meta_rows():
    """Text rows of the keys of ``meta``."""
    for key, (description, ucd) in PROVENANCE.items():
        yield [f"``{key}``", f"``{ucd}``", description]


def tables():
    """Name -> lines, of each table of the page."""
    return {
        "data_columns_table": column_tables(*classified()),
        "data_flags_table": list_table(
            "Bits of ``morph_flag``", ["bit", "value", "name", "probabilities", "meaning"],
            flag_rows()),
        "data_meta_table": list_table("Keys of ``meta``", ["key", "UCD", "description"],
                                      meta_rows())}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the documentation")
    args = parser.parse_args()
    for name, lines in tables().items():
        write_table(args.out, name, lines)


if __name__ == "__main__":
    main()
