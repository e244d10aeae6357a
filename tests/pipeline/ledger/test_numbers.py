"""What the numbers of one run are called, which of them count, and which way is better."""

import pytest

from pipeline.ledger import numbers

EPISODES = {"miou_any": 51.0, "miou_5": 3.0, "miou_5_average": 4.0, "miou_1": 2.0, "miou_1_std": 9.0}
SHOTS = {"1 shot": 2.0, "5 shots": 3.0, "5 shots, average": 4.0, "every object": 51.0}
EXPLAINED = {"f1_minus": 3.0, "micro_average_drop": 9.0, "average_drop": 6.0}
DIAGNOSED = {"accuracy": 75.0, "accuracy_random": 48.0, "change_random": 1.0}
RIGHT = {"right predictions": 75.0, "right without pixels by Random": 48.0}


@pytest.mark.parametrize(
    ("stage", "item", "found", "says"),
    [
        ("ceiling", "only_true", {"miou": 66.7, "precision": 1.0}, {"predictions": 66.7}),
        ("ceiling", "only_true", {}, {}),  # not the run's
        ("episodes", "0", EPISODES, {f"{name}, fold 0": value for name, value in SHOTS.items()}),
        ("explanation", "seeds", EXPLAINED, {"AD": 6.0, "F1-": 3.0}),
        ("diagnosis", "classifier", DIAGNOSED, RIGHT),
    ],
)
def test_the_scores_of_other_stages_than_the_evaluation(stage, item, found, says):
    scores = dict(numbers.OTHERS[stage](item, found))
    assert scores == says and list(scores) == list(says)


def test_which_way_is_better():
    labels = ("seeds", "IC", "AD", "AR", "ADO", "ARO", "F1+", "F1-", "1 shot, fold 0")
    assert [numbers.sense(label) for label in labels] == [1, 1, -1, 1, 1, -1, 1, -1, 1]
