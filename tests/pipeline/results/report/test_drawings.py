"""What the drawings of the page show, by the text and lines of their figures."""

import itertools

import pytest

from pipeline.results.report import charts as drawings

ROWS = [
    {"rung": "seeds", "split": "train", "miou": "40.00"},
    {"rung": "crf", "split": "train", "miou": "45.50"},
    {"rung": "predictions", "split": "val", "miou": ""},
]


def test_the_ladder_has_error_bars_where_seeds_are_known() -> None:
    plain = [one for one in drawings.ladder(ROWS, {}).axes[0].containers if getattr(one, "has_yerr", False)]
    axes = drawings.ladder(ROWS, {}, seeds={"crf": (44.0, 2.0), "predictions": (50.0, 1.0)}).axes[0]
    bars = [one for one in axes.containers if getattr(one, "has_yerr", False)]
    assert not plain and len(bars) == 1  # a rung without a number of this run has none
    assert bars[0].lines[0].get_ydata().tolist() == [44.0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["40.00", "45.50", "+5.50"]


def test_a_rung_of_object_and_ground_is_no_step_of_the_ladder() -> None:
    rows = [ROWS[0], {"rung": "saliency", "split": "train", "miou": "70.00"}, ROWS[1]]
    axes = drawings.ladder(rows, {}, merged={"saliency"}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["40.00", "70.00", "45.50", "+5.50"]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["seeds\ntrain", "saliency\ntrain\nobject / ground", "crf\ntrain"]


NAMES = ["seeds", "crf", "pseudo_labels", "one_step_train", "predictions", "one_step"]


@pytest.mark.parametrize("many", [4, 5, 6])
def test_names_of_rungs_do_not_run_into_each_other(many: int) -> None:
    rows = [{"rung": name, "split": "train", "miou": "40.00"} for name in NAMES[-many:]]
    figure = drawings.ladder(rows, {})
    figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    assert [label.get_text().replace("\n", "") for label in labels] == [f"{n}train" for n in NAMES[-many:]]
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_training_shows_loss_validation_and_learning_rate() -> None:
    rows = [
        {"epoch": f"{e}", "lr": "0.1", "loss": f"{e}", "val_loss": "2", "val_map": f"{10 * e}"}
        for e in (1, 2, 3)
    ]
    rows[0]["val_map"] = ""  # an epoch without validation
    figure = drawings.training("Classifier", rows)
    loss, validation, rate = figure.axes
    assert [line.get_label() for line in loss.lines] == ["loss", "loss on val"]
    assert validation.lines[0].get_xdata().tolist() == [2, 3] and validation.get_ylim() == (0, 100)
    assert rate.get_ylabel() == "lr" and loss.get_ylim()[1] > 3
    assert not any(axes.get_legend() for axes in figure.axes) and figure.legends  # beside the lines


def test_a_history_without_validation_is_drawn_as_before() -> None:
    figure = drawings.training("Segmenter", [{"epoch": "1", "lr": "0.1", "loss": "1.5"}])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "lr"] and not figure.legends


def test_a_network_that_did_not_learn_in_an_epoch_has_no_point_there() -> None:
    rows = [{"epoch": f"{e}", "loss": "1.5", "adversary.loss": "nan" if e == 1 else "0.5"} for e in (1, 2)]
    axes = drawings.training("Classifier", rows).axes[0]
    assert [line.get_xdata().tolist() for line in axes.lines] == [[1, 2], [2]]
    assert axes.get_ylim()[1] == 1.08 * 1.5


def test_terms_have_curves_and_the_predicted_ground_a_panel_of_its_own() -> None:
    columns = ("loss", "pixel", "semeda", "ground", "sobel")
    rows = [{"epoch": str(n), "lr": "0.1", **dict.fromkeys(columns, str(n))} for n in (1, 2)]
    losses, ground, _ = drawings.training("Segmenter", rows).axes
    assert [line.get_label() for line in losses.lines] == ["loss", "pixel", "semeda", "sobel"]
    assert [line.get_label() for line in ground.lines] == ["ground"]
    assert ground.get_ylabel() == "ground, %" and ground.get_ylim() == (0, 100)
    assert losses.get_ylim() == (0, 1.08 * 2)


def test_the_labelled_share_has_a_panel_of_its_own() -> None:
    columns = ("loss", "classes", "labelled")
    rows = [{"epoch": str(n), "lr": "0.1", **dict.fromkeys(columns, str(30 * n))} for n in (1, 2)]
    losses, labelled, _ = drawings.training("One-step network", rows).axes
    assert [line.get_label() for line in losses.lines] == ["loss", "classes"]
    assert labelled.get_ylabel() == "labelled, %" and labelled.get_ylim() == (0, 100)


def test_affinity_s_loss_of_the_ground_is_a_loss() -> None:
    columns = ("loss", "foreground", "background", "different")
    rows = [{"epoch": str(n), "lr": "0.1", **dict.fromkeys(columns, "0.3")} for n in (1, 2)]
    losses, _ = drawings.training("AffinityNet", rows).axes
    assert [line.get_label() for line in losses.lines] == list(columns)
