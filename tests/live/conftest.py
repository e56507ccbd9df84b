"""The report of what the real services did, for whoever sends it to the developers."""
import json

import numpy as np
import pytest


@pytest.fixture(scope="session")
def live_report():
    """A list of what each service answered; written to ``live_report.json`` in the end."""
    answers = []
    yield answers
    first = {}
    for answer in answers:
        picture = answer.pop("picture")
        if picture is not None:
            of = first.setdefault((answer["survey"], answer["place"]), picture)
            answer["color_difference"] = round(255 * float(np.abs(picture - of).mean()), 2)
    with open("live_report.json", "w") as file:
        json.dump(answers, file, indent=1)
