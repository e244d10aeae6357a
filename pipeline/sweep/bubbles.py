"""How much is labelled, how much of it rightly, and what a segmenter makes of it (CHEN 4.4.3).

A bubble per point of a sweep, for every rung that leaves pixels unknown: to the right the share of its
pixels that are decided, upwards the share that are decided rightly; a larger bubble is a higher mIoU of the
predictions.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.results import charts
from pipeline.results.scores import text
from pipeline.sweep.outcome import Outcome

SIZE = (5.6, 3.9)  # inches
AREAS = (180.0, 800.0)  # points squared, of the lowest and of the highest mIoU
CHEN = "over CHEN's eight it was 0.96, 0.88 and 0.62"  # of Table 4.3, computed from what is printed there
LEAST = 3  # points of which a correlation says anything


@dataclass(frozen=True)
class Bubble:
    """A point of a sweep, in percent."""

    point: str
    decided: float
    correct: float
    miou: float  # of the predictions

    @property
    def short(self) -> str:
        """The point's number, without the name of the sweep."""
        return self.point.rpartition("-")[2]

    @property
    def accuracy(self) -> float:
        return 100 * self.correct / self.decided if self.decided else 0.0


def found(outcome: Outcome) -> dict[str, list[Bubble]]:
    """By rung that leaves pixels unknown: the points that have it and predictions."""
    bubbles = {rung: list(_of_rung(outcome, rung)) for rung in outcome.seeds}
    return {rung: points for rung, points in bubbles.items() if points}


def _of_rung(outcome: Outcome, rung: str) -> list[Bubble]:
    known = [
        (point, point.seeds(rung), point.spread(outcome.predictions))
        for point in outcome.points
        if point.finished and rung != outcome.predictions
    ]
    return [
        Bubble(point.name, *seeds, predictions[0])
        for point, seeds, predictions in known
        if seeds and predictions
    ]


def says(bubbles: Sequence[Bubble]) -> str:
    """What the predictions go with; "" of too few points, or where something is the same at all."""
    columns = [[getattr(one, name) for one in bubbles] for name in ("miou", "correct", "decided", "accuracy")]
    if len(bubbles) < LEAST or any(max(column) - min(column) < 1e-6 for column in columns):
        return ""
    miou, *others = columns
    correct, decided, accuracy = (f"{statistics.correlation(miou, other):.2f}" for other in others)
    return (
        f"Over these {len(bubbles)} points the predictions' mIoU goes with what is labelled rightly "
        f"(correlation {correct}), with all that is labelled ({decided}) and with the labels' accuracy "
        f"({accuracy}); {CHEN}."
    )


def chart(rung: str, bubbles: Sequence[Bubble]) -> str:
    return charts.svg(draw(rung, bubbles))


def draw(rung: str, bubbles: Sequence[Bubble]) -> Figure:
    low, high = (of(one.miou for one in bubbles) for of in (min, max))
    with charts.style():
        figure = charts.figure(*SIZE)
        axes = figure.add_subplot()
        for one in sorted(bubbles, key=lambda bubble: -bubble.miou):  # small ones lie on large ones
            share = (one.miou - low) / (high - low) if high > low else 0.5
            size = AREAS[0] + share * (AREAS[1] - AREAS[0])
            axes.scatter(
                one.decided,
                one.correct,
                size,
                color=charts.COLOURS[0],
                alpha=0.45,
                edgecolor=charts.COLOURS[0],
            )
            axes.annotate(
                one.short,
                (one.decided, one.correct),
                ha="center",
                va="center_baseline",
                fontsize=7.5,
                zorder=3,
            )
        _frame(axes, rung)
    return figure


def rows(bubbles: Sequence[Bubble]) -> list[tuple[str, ...]]:
    """A line per point, the best predictions first: its name, and what the drawing shows, in percent."""
    best_first = sorted(bubbles, key=lambda bubble: -bubble.miou)
    return [(one.point, *map(text, (one.miou, one.decided, one.correct, one.accuracy))) for one in best_first]


def _frame(axes: Axes, rung: str) -> None:
    axes.margins(0.12)
    axes.set_title(rung, fontsize=10, loc="left")
    axes.set_xlabel("labelled at all, % of the pixels")
    axes.set_ylabel("labelled rightly, % of the pixels")
