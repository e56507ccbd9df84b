"""What labels bring: suggested ones against random ones; what the sealed share states; suspects.

    python benchmarks/labeling_value.py --data DATA --work WORK --out docs [--adapt SEEDS]

A script answers as the labels say (``decals``, see transfer.py), in a real session and with the
real learner, without a browser, from SDSS weights on. The galaxies to label are those of the sets
``train`` and ``val``; those of ``test`` are never shown, and only measure. What the network sees of
the galaxies is a file in WORK, so that a session takes seconds. Of each set, 5 % of the labels are
flipped, and `suspects` looks for them. With ``--adapt`` the whole network is adapted as well, which
takes minutes a session; each result is a file in WORK.
"""
import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from documents import list_table, write_table
from astropy.stats import binom_conf_interval
from astropy.table import Table, vstack
from transfer import PAIRS, answer, labels_of, read

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.galaxies import open_source
from astromorph.labeling.curve import LEVEL
from astromorph.labeling.learner import Learner
from astromorph.labeling.lessons import Lessons
from astromorph.labeling.seen import SeenGalaxies
from astromorph.labeling.session import LabelSession
from astromorph.learning.suspects import find_suspects
from astromorph.metrics import central_interval

PAIR = PAIRS["sdss-decals"]
SETS = ("gz2", "efigi", "sdss24", "decals")
SUGGESTED, RANDOM = 150, (150, 300)
FLIPPED, LISTED = 0.05, 0.08
KEYS = [question.key for question in QUESTIONS]


class Stored(SeenGalaxies):
    """What was seen of galaxies, from a file."""

    def __init__(self, model, seen):
        self.model, self._seen = model, seen.astype(np.float16)
        self.read = np.ones(len(seen), bool)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


class Scripted(LabelSession):
    """A session in which the labels answer: those that a galaxy has, also where no key says so."""

    def __init__(self, labels, journal, seed):
        self._known = labels
        names = [f"{row}" for row in range(len(labels))]
        galaxies = SimpleNamespace(names=names, digest="scripted", options={},
                                   table=Table({"name": names}))
        super().__init__(galaxies, QUESTIONS, journal, labeler="script", seed=seed)

    def _said(self, key, value):
        known = {key: label for key, label in zip(KEYS, self._known[value].tolist())
                 if label == label}
        return {"key": None, "value": None, "answers": known}

    def label(self, row):
        """Answer a galaxy, and again where it comes again."""
        self.answer(row, value=row % len(self), id=f"{row}")


def options_of(name):
    """How the galaxies of a set are framed."""
    return {"images": "path", **({"survey": PAIR.survey, **PAIR.framing} if name == PAIR.target
                                 else {"cutout_r90": "cutout_r90"})}


def see(classifier, data, work, name):
    """(what was seen, table) of a set, galaxies to label in front of those of ``test``."""
    parts = {split: read(data, (name,), (split,)) for split in ("train", "val", "test")}
    table = vstack([*parts.values()])
    table["split"] = np.repeat([*parts], [len(part) for part in parts.values()])
    path = work / f"{name}.npz"
    if not path.exists():
        pool = table[table["split"] != "test"]
        source = open_source(classifier.model, table, **options_of(name))
        if name == PAIR.target:  # by the images that people are shown
            with SeenGalaxies(classifier.model, open_source(
                    classifier.model, pool, **options_of(name))) as shown:
                shown.align(PAIR.survey)
            classifier = MorphologyClassifier(shown.model)
        with SeenGalaxies(classifier.model, source) as seen:
            for rows in np.array_split(np.arange(len(table)), len(table) // 100):
                seen.add(rows)
        present, features = seen.of(np.arange(len(table)))
        np.savez(path, seen=np.hstack([present, features]).astype(np.float16))
    return np.load(path)["seen"], table


def run_session(classifier, seen, labels, n, seed):
    """The answers of a session with suggestions, until n that are not sealed; the sealed rows."""
    with tempfile.TemporaryDirectory() as folder:
        session = Scripted(labels, Path(folder) / "labels.journal", seed)
        with session:
            learner = Learner(classifier, session, seen=Stored(classifier.model, seen))
            learner.start()
            while sum(entry["row"] not in session.sealed for entry in session.done()
                      if not entry.get("again")) < n:
                learner.labels_changed()
                learner.wait()
                session.label(session.upcoming(1)[0])
            learner.stop()
            if message := learner.state()["error"]:
                raise RuntimeError(message)
            done = [entry for entry in session.done() if not entry.get("again")]
            return done, session.sealed


def entries(rows, labels):
    """Answers as a journal has them."""
    return [{"row": int(row), "answers": {
        key: label for key, label in zip(KEYS, labels[row].tolist()) if label == label}}
        for row in rows]


def right(seen, labels, answered, sealed, rows):
    """Whether the answers to galaxies are right, after a session: (rows, questions), NaN."""
    lessons = Lessons(QUESTIONS, sealed, seen, max(len(answered), 1))
    lessons.learn(answered)
    p = np.hstack([lessons.answer(each, lessons.last, rows) for each in QUESTIONS])
    return judge(labels[rows], p)


def judge(labels, p):
    """1 where an answer is right, 0 where it is wrong, NaN where nobody knows."""
    return np.where(np.isfinite(labels), (p >= 0.5) == (labels == 1), np.nan)


def adapted(classifier, table, rows, seed, path):
    """Whether answers to the test galaxies are right after `adapt`."""
    if not path.exists():
        options = options_of(PAIR.target)
        taught = classifier.adapt(table[np.sort(rows)], **options, seed=seed, folds=0,
                                  progress=False)
        test = table[table["split"] == "test"]
        np.save(path, judge(labels_of(test), answer(taught, test, PAIR.framing)))
    return np.load(path)


def run_all(classifier, data, work, seeds, adapt_seeds):
    """Right answers to the test galaxies by (how, seed), and (sealed, test) of each session."""
    seen, table = see(classifier, data, work, PAIR.target)
    labels, whole = labels_of(table), Stored(classifier.model, seen)
    pool, test = (np.flatnonzero((table["split"] == "test") == is_test) for is_test in (0, 1))
    found, pairs = {("none", 0): right(whole, labels, [], set(), test),
                    ("all", 0): right(whole, labels, entries(pool, labels), set(), test)}, []
    for seed in range(seeds):
        done, sealed = run_session(classifier, seen[:len(pool)], labels[:len(pool)],
                                   SUGGESTED, seed)
        found["suggested", seed] = right(whole, labels, done, sealed, test)
        tested = [entry["row"] for entry in done if entry["row"] in sealed]
        pairs.append((right(whole, labels, done, sealed, tested), found["suggested", seed]))
        drawn = np.random.default_rng(seed).permutation(pool)
        for n in RANDOM:
            found[f"random {n}", seed] = right(whole, labels, entries(drawn[:n], labels), set(),
                                               test)
        print(seed, len(done), {how: np.nanmean(each, axis=0).round(3).tolist()
                                for (how, k), each in found.items() if k == seed}, flush=True)
        if seed < adapt_seeds:
            taught = [entry["row"] for entry in done if entry["row"] not in sealed]
            for how, rows in {"suggested": taught, "random 300": drawn[:300]}.items():
                found[f"{how}, adapted", seed] = adapted(
                    classifier, table, rows, seed, work / f"{how.replace(' ', '_')}_{seed}.npy")
                print(how, np.nanmean(found[f"{how}, adapted", seed], axis=0), flush=True)
    return found, pairs


def value_rows(found):
    """Text rows of accuracies on the test galaxies, means of the seeds, with intervals."""
    names = {"none": "none", "random 150": "150 random", "random 300": "300 random",
             "suggested": "150 suggested", "all": "all 736",
             "random 300, adapted": "300 random, ``adapt``",
             "suggested, adapted": "150 suggested, ``adapt``"}
    means = {how: np.mean([each for (name, _), each in found.items() if name == how], axis=0)
             for how in names if (how, 0) in found}
    for how, mean in means.items():
        yield [names[how], sum(name == how for name, _ in found), *map(with_limits, mean.T)]
    for end in ("", ", adapted"):
        if f"suggested{end}" in means:
            off = means[f"suggested{end}"] - means[f"random 300{end}"]
            yield [f"150 suggested minus 300 random{end}", "",
                   *(with_limits(each, "{:+.3f}") for each in off.T)]


def with_limits(values, form="{:.3f}"):
    """A mean over galaxies, and its 68% interval by bootstrap, as text."""
    values, rng = values[np.isfinite(values)], np.random.default_rng(0)
    draws = np.array([rng.choice(values, len(values)).mean() for _ in range(2000)])
    return "{} ({} to {})".format(*(form.format(each) for each in (
        values.mean(), *central_interval(draws, LEVEL))))


def limits(right):
    """(accuracy, low, high) of right answers."""
    right = right[np.isfinite(right)]
    return right.mean(), *binom_conf_interval(right.sum(), len(right), LEVEL, interval="wilson")


def sealed_rows(pairs):
    """Text rows: how often the sealed share's interval holds the accuracy on the test set."""
    for k, question in enumerate(QUESTIONS):
        sealed, test = ([limits(pair[end][:, k]) for pair in pairs] for end in (0, 1))
        holds = [low <= t[0] <= high for (_, low, high), t in zip(sealed, test)]
        # Newcombe's interval of the difference: both samples are small.
        agree = [s[0] - t[0] - np.hypot(s[0] - s[1], t[2] - t[0]) <= 0
                 <= s[0] - t[0] + np.hypot(s[2] - s[0], t[0] - t[1])
                 for s, t in zip(sealed, test)]
        n = np.mean([np.isfinite(pair[0][:, k]).sum() for pair in pairs])
        yield [question.key, f"{n:.0f}", f"{np.mean([s[0] for s in sealed]):.3f}",
               f"{np.mean([s[2] - s[1] for s in sealed]) / 2:.3f}",
               int(np.isfinite(pairs[0][1][:, k]).sum()), f"{np.mean([t[0] for t in test]):.3f}",
               f"{np.mean([t[2] - t[1] for t in test]) / 2:.3f}",
               f"{sum(holds)} of {len(holds)}", f"{sum(agree)} of {len(agree)}"]


def suspect_rows(classifier, data, work, seeds):
    """Text rows: the part of the flipped labels that is among the most suspect."""
    parts = [(seen, labels_of(table), np.array(table["split"]) == "test", np.full(
        len(table), name)) for name in SETS for seen, table in [see(classifier, data, work, name)]]
    seen, labels, is_test, name = map(np.concatenate, zip(*parts))
    samples = {"all four sets": is_test | True, "those that no training saw":
               is_test | (name == PAIR.target), "decals": name == PAIR.target,
               "decals, test": is_test & (name == PAIR.target)}
    for title, rows in samples.items():
        for k, question in enumerate(QUESTIONS):
            known = rows & np.isfinite(labels[:, k])
            found = [flips_found(seen[known], labels[known, k], question, seed)
                     for seed in range(seeds)]
            print(title, question.key, np.mean(found), flush=True)
            yield [title, question.key, int(known.sum()), round(FLIPPED * known.sum()),
                   f"{100 * np.mean(found):.0f} % ({100 * min(found):.0f} to "
                   f"{100 * max(found):.0f})"]


def flips_found(seen, labels, question, seed):
    """The part of the flipped labels that is listed."""
    flipped = np.random.default_rng(seed).permutation(len(labels))[:round(FLIPPED * len(labels))]
    labels = labels.copy()
    labels[flipped] = 1 - labels[flipped]
    found = find_suspects(KEYS, *np.split(seen.astype(np.float32), [len(KEYS)], axis=1),
                          labels[:, None], [question], share=LISTED, seed=seed)
    return np.isin(flipped, [each["row"] for each in found]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--out", type=Path, required=True, help="for the tables")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--adapt", type=int, default=0, metavar="SEEDS",
                        help="sessions after which the whole network is adapted as well")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    classifier = MorphologyClassifier.from_pretrained("sdss")
    found, pairs = run_all(classifier, args.data, args.work, args.seeds, args.adapt)
    tables = {
        "value": list_table(
            "Accuracy on the test galaxies (68% interval over galaxies)",
            ["labels", "sessions", *KEYS], value_rows(found)),
        "sealed": list_table(
            f"The sealed share against the test galaxies, {len(pairs)} sessions",
            ["", "sealed galaxies", "accuracy", "half width", "test galaxies", "accuracy",
             "half width", "within the interval of the sealed share",
             "difference within its interval"], sealed_rows(pairs)),
        "suspects": list_table(
            f"Flipped labels among the {100 * LISTED:.0f} % most suspect (mean, least and most of "
            "5 draws)", ["galaxies", "", "labels", "flipped", "found"],
            suspect_rows(classifier, args.data, args.work, 5))}
    for name, lines in tables.items():
        write_table(args.out, f"labeling_{name}_table", lines)
        print("\n".join(lines))


if __name__ == "__main__":
    main()
