from stages.evaluation.rungs import RUNGS


def test_maps_lie_in_npz_and_labels_in_png():
    files = {name: str(rung.file("2007.1")) for name, rung in RUNGS.items()}
    assert files == {
        "seeds": "data/seeds/2007.1.npz",
        "crf": "data/affinity_labels/crf/2007.1.png",
        "pseudo_labels": "data/pseudo_labels/2007.1.png",
        "predictions": "data/predictions/2007.1.png",
    }
