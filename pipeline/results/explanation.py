"""How well the seeds explain the classifier, as the stage `explanation` found it: for page, diff, sweep."""

from typing import NamedTuple

from pipeline.project.tables import Table
from pipeline.results import scores
from pipeline.results.scores import Rung, Scores
from pipeline.results.snapshot import Snapshot
from stages.explanation.names import BETTER, HIGH

STAGE = "explanation"
MICRO = "micro_"  # before the name of a metric: over all pairs, not the mean over the classes


class Words(NamedTuple):
    """How a metric is called, and what it says."""

    short: str
    name: str
    says: str

    @property
    def title(self) -> str:
        return self.name if self.name == self.short else f"{self.name} ({self.short})"


WORDS = {
    "increase_in_confidence": Words(
        "IC",
        "Increase in Confidence",
        "for how many pairs the classifier is surer of the class when it sees no more than the map keeps",
    ),
    "average_drop": Words(
        "AD",
        "Average Drop",
        "the share of the class's probability that is lost when it sees no more than the map keeps",
    ),
    "average_retention": Words(
        "AR",
        "Average Retention",
        "the share that is lost when it sees what the map leaves: a drop too, in spite of the name, and high "
        "where the map has all that speaks for the class",
    ),
    "average_drop_of_others": Words(
        "ADO",
        "Average Drop of Others",
        "the share of the other classes' probability that is lost in what the map keeps: high where the map "
        "has nothing of them",
    ),
    "average_retention_of_others": Words(
        "ARO",
        "Average Retention of Others",
        "the share of the other classes' probability that is lost in what the map leaves: high where the map "
        "takes from them",
    ),
    "f1_plus": Words(
        "F1+",
        "F1+",
        "the harmonic mean of AR and ADO, class by class: high for a map that has its class and no other",
    ),
    "f1_minus": Words(
        "F1-",
        "F1-",
        "the harmonic mean of AD and ARO, class by class: 0 as soon as one of them is, so look at both",
    ),
}


def read(found: Scores) -> Rung | None:
    """The means as numbers of a rung that is on no ladder; None where dvc.lock has no such stage."""
    stage = next((name for name in found.run.lock if name.partition("@")[0] == STAGE), None)
    return scores.extra(found, STAGE, stage) if stage else None


def asked(run: Snapshot) -> bool:
    """Whether the run's parameters ask for the stage."""
    section = run.params.get(STAGE)
    return isinstance(section, dict) and bool(section.get("of"))


def classes(found: Scores) -> Table:
    """The metrics by class, as cells; none where they are not the run's."""
    rung = read(found)
    return found.run.table(f"{rung.folder}/per_class.csv") if rung and rung.good else []


def is_high(metric: str) -> bool:
    """Whether more of a metric is better; `micro_` may stand before its name."""
    return BETTER[metric.removeprefix(MICRO)] == HIGH
