"""Write the table of docs/surveys.rst from the records: ``python benchmarks/surveys.py docs``."""
import argparse
import textwrap
from pathlib import Path

from documents import write_table

from astromorph.images.bands import band_text
from astromorph.model.files import find_bundled
from astromorph.surveys import BUNDLED


def surveys_page():
    """One list-table row for each record, and below it what is only reported of each."""
    rows = [("survey", "what it is", "bands (shown)", "pixels, seeing", "services, in their order",
             "declinations", "weights")]
    rows += [(f"``{survey.name}``", _title(survey),
              f"{band_text(survey.bands)} ({band_text(survey.rgb)})",
              f"{survey.pixel_scale.value:.3g}\", {survey.psf_fwhm.value:.3g}\"",
              ", ".join(_service(survey, service) for service in survey.services) or "none",
              "{:g} to {:g}".format(*survey.declinations), _weights(survey))
             for survey in BUNDLED.values()]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'*' if cell is row[0] else ' '} - {cell}" for cell in row]
    return "\n".join(lines) + "\n\n" + "\n".join(map(_reported, filter(
        lambda survey: survey.reported, BUNDLED.values())))


def _title(survey):
    return f"{survey.title}, {survey.release}{' (r)' * bool(survey.reported)}"


def _service(survey, name):
    """A service, with its release and its colors where these are not the record's."""
    notes = [survey.releases[name]] if name in survey.releases else []
    notes += ["other colors"] if name in survey.other_colors else []
    return f"``{name}``" + (f" ({', '.join(notes)})" if notes else "")


def _weights(survey):
    owner = find_bundled(survey)[2]
    return f"of ``{owner.name}``, to be confirmed" if owner else "yes"


def _reported(survey):
    text = " ".join(survey.reported.split())
    return f"``{survey.name}``\n" + textwrap.fill(text, 98, initial_indent="    ",
                                                 subsequent_indent="    ") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the documentation")
    args = parser.parse_args()
    write_table(args.out, "surveys_table", surveys_page())


if __name__ == "__main__":
    main()
