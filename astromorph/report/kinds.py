"""What the page shows of each kind of answer: one small class per kind."""
import numpy as np

from astromorph import plots
from astromorph.answers import get_kind
from astromorph.metrics import valid_pairs
from astromorph.report.pictures import draw
from astromorph.scores import confusion

__all__ = ["KINDS", "report_kind"]


def report_kind(question):
    """Return the class that shows this kind of answer."""
    return get_kind(question, KINDS)


class _YesNo:
    def title(self, question):
        return f"{question.positive.capitalize()}, or {question.negative}?"

    def counts(self, question, answers, chance):
        answer = answers[:, 0]
        known, likely = np.isfinite(answer), np.isfinite(answer) & (chance > 0.5)
        return {"likely": int(likely.sum()), "asked": float(chance[known].sum()),
                "positive": int((answer[likely] >= 0.5).sum()),
                "negative": int((answer[likely] < 0.5).sum()),
                "doubtful": int((np.abs(answer[likely] - 0.5) < 0.2).sum()),
                "expected": float((chance * answer)[known].sum())}

    def histogram(self, question, answers, given):
        return draw(plots.plot_histogram, answers[:, 0], **given)

    def shown(self, question, answers):
        """The galaxies most certain of each answer, and the least certain ones."""
        answer = answers[:, 0]
        order = np.argsort(answer, kind="stable")
        doubt = np.argsort(np.abs(answer - 0.5), kind="stable")
        return {f"Most certainly {question.positive}": order[answer[order] >= 0.5][::-1],
                f"Most certainly {question.negative}": order[answer[order] < 0.5],
                "Least certain": doubt}

    def bar(self, question, answers):
        return question.positive, float(answers[0]), f"{answers[0]:.2f}"

    def plots(self, question, labels, answers):
        known, _ = valid_pairs(labels, answers[:, 0])
        both = 0 < known.sum() < known.size
        return {"reliability": draw(plots.plot_reliability, labels, answers[:, 0])
                if known.size else None,
                "roc": draw(plots.plot_roc, labels, answers[:, 0]) if both else None}


class _Several:
    """Grades and classes."""

    def title(self, question):
        return f"{question.positive.capitalize()}: {', '.join(question.answers)}?"

    def counts(self, question, answers, chance):
        known = np.isfinite(answers).all(axis=1)
        likely = known & (chance > 0.5)
        best = np.bincount(answers[likely].argmax(axis=1), minlength=len(question.answers))
        expected = (chance[known, None] * answers[known]).sum(axis=0)
        return {"likely": int(likely.sum()),
                "each": list(zip(question.answers, best.tolist(), expected.tolist()))}

    def histogram(self, question, answers, given):
        return draw(plots.plot_histogram, answers.max(axis=1), **given)

    def shown(self, question, answers):
        best, sure = answers.argmax(axis=1), answers.max(axis=1)
        order = np.argsort(-sure, kind="stable")
        return {f"Most certainly {name}": order[best[order] == place]
                for place, name in enumerate(question.answers)} | {"Least certain": order[::-1]}

    def bar(self, question, answers):
        if not np.isfinite(answers).all():
            return question.positive, np.nan, "nan"
        best = int(answers.argmax())
        return question.positive, float(answers[best]), question.answers[best]

    def plots(self, question, labels, answers):
        known = np.isfinite(labels) & np.isfinite(answers).all(axis=1)
        counts = confusion(labels, answers, question)
        return {"confusion": draw(plots.plot_confusion, counts, question.answers)
                if known.any() else None}


class _Number:
    def title(self, question):
        return f"{question.positive[:1].upper()}{question.positive[1:]}"

    def counts(self, question, answers, chance):
        known = np.isfinite(answers).all(axis=1)
        likely = known & (chance > 0.5)
        values = answers[likely, 0]
        return {"likely": int(likely.sum()), "quartiles": np.quantile(
            values, [0.25, 0.5, 0.75]).tolist() if values.size else [np.nan] * 3}

    def histogram(self, question, answers, given):
        return draw(_draw_numbers, answers[:, 0], label=question.column)

    def shown(self, question, answers):
        order = np.argsort(answers[:, 0], kind="stable")
        return {"Lowest": order, "Highest": order[::-1],
                "Least certain": np.argsort(-answers[:, 1], kind="stable")}

    def bar(self, question, answers):
        low, high = question.limits or (0, np.inf)
        return question.positive, float((answers[0] - low) / (high - low)), f"{answers[0]:.1f}"

    def plots(self, question, labels, answers):
        known = np.isfinite(labels) & np.isfinite(answers).all(axis=1)
        return {"numbers": draw(plots.plot_numbers, labels, answers, unit=question.unit)
                if known.any() else None}


def _draw_numbers(values, *, label, ax):
    ax.hist(values[np.isfinite(values)], 20)
    ax.set(xlabel=label, ylabel="Galaxies")


KINDS = {"yes_no": _YesNo(), "grades": _Several(), "classes": _Several(), "number": _Number()}
