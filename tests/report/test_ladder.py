from stages.report import ladder

SCORED = {
    "split": "train",
    "miou": 41.2,
    "precision": 60.0,
    "recall": 55.555,
    "images": 480,
    "iou": {"cat": 41.2},
}
SEEDS = SCORED | {"miou_best_threshold": 43.1, "threshold": 0.25, "best_threshold": 0.31}
NO_TRUTH = {"split": "val", "images": 0}
RUNGS = {"seeds": SEEDS, "crf": SCORED, "pseudo_labels": SCORED, "predictions": NO_TRUTH}


def test_columns_and_cells():
    assert ladder.rows(RUNGS) == [
        ("rung", "split", "miou", "miou_best_threshold", "precision", "recall", "images"),
        ("seeds", "train", "41.20", "43.10", "60.00", "55.55", "480"),
        ("crf", "train", "41.20", "", "60.00", "55.55", "480"),
        ("pseudo_labels", "train", "41.20", "", "60.00", "55.55", "480"),
        ("predictions", "val", "", "", "", "", "0"),
    ]


def test_headline_is_flat_and_holds_numbers_only():
    numbers = ladder.headline(RUNGS)
    assert numbers["seeds.miou_best_threshold"] == 43.1
    assert "crf.miou_best_threshold" not in numbers
    assert [key for key in numbers if key.startswith("predictions")] == ["predictions.images"]
    assert all(isinstance(value, int | float) for value in numbers.values())


def test_markdown_is_aligned():
    text = ladder.markdown([("rung", "miou"), ("pseudo_labels", "9.10"), ("crf", "")], text_columns=1)
    assert text == (
        "| rung          | miou |\n"
        "| ------------- | ---: |\n"
        "| pseudo_labels | 9.10 |\n"
        "| crf           |      |\n"
    )  # fmt: skip
