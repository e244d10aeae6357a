"""The files of numbers, character by character, of a table worked out by hand."""

import numpy as np

from stages.evaluation import pictures, tables

CLASSES = ("background", "cat", "=dog", "ant")
# background: 2 right, 1 called cat, 1 unknown; cat: 3 right, 1 called background; =dog: never found; no ant
TABLE = np.array([[2, 1, 0, 0, 1], [1, 3, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
# TP 2 3 0, FP 1 3 0, FN 2 1 2: IoU 2/5 3/7 0, precision 2/3 1/2 0, recall 1/2 3/4 0


def test_percent_has_two_decimals():
    assert type(tables.percent(np.float32(0.5))) is float  # which JSON has a word for
    assert [tables.percent(x) for x in (0, 1, 1 / 3, 0.98765, np.float64(0.5))] == [0, 100, 33.33, 98.77, 50]


def test_summary_by_hand():
    assert tables.summary(TABLE, CLASSES) == {
        "miou": 27.62,
        "precision": 38.89,
        "recall": 41.67,
        "over_segmentation": 20.95,  # (1/5 + 3/7) / 3
        "under_segmentation": 51.43,  # (2/5 + 1/7 + 1) / 3
        "f1": 39.05,  # (4/7 + 6/10 + 0) / 3
        "specificity": 77.78,  # of 6, 6 and 8 that are not of the class 1, 3 and 0 are marked
        "pixel_accuracy": 50.0,
        "decided": 90.0,
        "decided_accuracy": 55.56,  # 5 of the 9 decided
        "correct": 50.0,
        "wrong": 40.0,
        "iou": {"background": 40.0, "cat": 42.86, "=dog": 0.0},
    }


def test_a_row_per_class_and_empty_cells_where_it_occurs_nowhere():
    assert tables.per_class(TABLE, CLASSES).splitlines() == [
        "class,iou,precision,recall,over,under,f1,specificity,accuracy,decided,pixels",
        "background,40.00,66.67,50.00,20.00,40.00,57.14,83.33,70.00,75.00,4",  # 5 of 10 are rightly not it
        "cat,42.86,50.00,75.00,42.86,14.29,60.00,50.00,60.00,100.00,4",
        "'=dog,0.00,0.00,0.00,0.00,100.00,0.00,100.00,80.00,100.00,2",
        "ant,,,,,,,,,,0",
    ]
    header = ",".join(tables.CLASS_COLUMNS) + "\n"
    assert tables.per_class(None, CLASSES) == header


def test_a_class_that_is_only_marked_occurs():
    marked = np.array([[4, 1, 0], [0, 0, 0]])
    assert (
        tables.per_class(marked, CLASSES[:2]).splitlines()[2]
        == "cat,0.00,0.00,0.00,100.00,0.00,0.00,80.00,80.00,,0"
    )
    assert tables.summary(marked, CLASSES[:2])["iou"] == {"background": 80.0, "cat": 0.0}


def test_a_class_occurs_whatever_its_errors_add_up_to():
    """Background: TP 1, FP 1, FN 2; cat: never found; dog: TP 1, FP 1."""
    table = np.array([[1, 0, 1, 1], [1, 0, 0, 0], [0, 0, 1, 0]])
    wanted = {"background": 25.0, "cat": 0.0, "dog": 50.0}
    assert tables.summary(table, list(wanted))["iou"] == wanted


def test_a_row_per_picture():
    assert tables.picture("=1", TABLE) == ("'=1", "27.62", "38.89", "41.67", "20.95", "51.43")
    assert tables.picture("void", np.zeros((2, 3), np.int64)) == ("void", "", "", "", "", "")


def test_confusion_names_truth_down_and_result_across():
    assert tables.confusion(TABLE, CLASSES).splitlines() == [
        "truth,background,cat,'=dog,ant,unknown",
        "background,2,1,0,0,1",
        "cat,1,3,0,0,0",
        "'=dog,0,2,0,0,0",
        "ant,0,0,0,0,0",
    ]
    assert tables.confusion(None, CLASSES) == "truth,background,cat,'=dog,ant,unknown\n"


def test_a_row_per_threshold():
    perfect = np.array([[3, 0, 0, 0, 0], [0, 1, 0, 0, 0], *np.zeros((2, 5), int)])
    assert tables.curve([0.0, 0.25], np.stack([TABLE, perfect])).splitlines() == [
        "threshold,miou,precision,recall,over,under",
        "0,27.62,38.89,41.67,20.95,51.43",
        "0.25,100.00,100.00,100.00,0.00,0.00",
    ]
    assert tables.curve([None], TABLE[None]).splitlines()[1] == ",27.62,38.89,41.67,20.95,51.43"


def test_a_confusion_is_read_as_it_was_written():
    table = np.array([[3, 1, 0], [2, 4, 7]])
    text = tables.confusion(table, ["background", "=cat"])
    assert np.array_equal(tables.read_confusion(text, 2), table)
    assert tables.read_confusion(tables.confusion(None, ["background", "=cat"]), 2).tolist() == [[0] * 3] * 2


def test_a_rung_without_unknown_pixels_says_nothing_of_what_is_decided():
    all_decided = np.array([[4, 1, 0], [2, 3, 0]])
    assert not {"decided", "decided_accuracy", "correct", "wrong"} & set(
        tables.summary(all_decided, CLASSES[:2])
    )
    assert tables.per_class(all_decided, CLASSES[:2]).splitlines()[1].endswith(",,5")


def test_two_rows_per_width_and_empty_cells_without_pixels():
    """Of widths 1 and 3: 4 pixels in the first ring, 2 of them right; 1 in the second; none beyond."""
    by_ring = np.array([[[1, 1, 0], [1, 1, 0]], [[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    assert tables.bands(by_ring, (1, 3)).splitlines() == [
        "width,region,pixels,classes,miou,precision,recall",
        "1,band,4,2,33.33,50.00,50.00",
        "1,interior,1,1,100.00,100.00,100.00",
        "3,band,5,2,41.67,58.33,58.33",  # IoU 2/4 and 1/3; precision and recall 2/3 and 1/2
        "3,interior,0,0,,,",
    ]
    assert tables.near(by_ring, (1, 3)) == {"boundary_miou": 41.67}
    assert tables.near(by_ring[[1, 2, 0]], (1, 3)) == {"boundary_miou": 100.0, "interior_miou": 33.33}
    assert tables.bands(None, ()) == "width,region,pixels,classes,miou,precision,recall\n"


def test_a_row_per_class_of_means_over_pictures():
    means = pictures.Means(3, 0.65)
    means.add(np.array([[4, 1, 0, 0], [1, 4, 0, 0], [0, 0, 0, 0]]))  # J 4/6 of both
    means.add(np.array([[9, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]))  # J 9/10, and 0
    rows = [
        row.split(",") for row in tables.per_class_pictures(means, ("background", "=cat", "dog")).splitlines()
    ]
    assert rows[0] == ["class", "pictures", *pictures.COLUMNS]
    cells = {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}
    wanted = {"pictures": "2", "jaccard": "78.33", "threshold_jaccard": "78.33", "sensitivity": "90.00"}
    assert wanted.items() <= cells["background"].items()
    assert cells["'=cat"]["jaccard"] == cells["'=cat"]["threshold_jaccard"] == "33.33"
    assert cells["dog"] == dict.fromkeys(pictures.COLUMNS, "") | {"pictures": "0"}
    assert tables.of_pictures(means)["picture_jaccard"] == 55.83
    assert tables.per_class_pictures(None, ()).splitlines() == [",".join(rows[0])]
