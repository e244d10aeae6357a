import copy
import io
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.project import presets
from stages.common.params import read_yaml

ROOT = Path(__file__).parents[3]
NAMES = sorted(file.stem for file in (ROOT / "presets").glob("*.yaml"))
DATA = sorted(file.stem for file in (ROOT / "presets" / "data").glob("*.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    return tmp_path


def small(root: Path, params: str, preset: str) -> tuple[str, list[presets.Change]]:
    """`preset` merged into `params`, without the check."""
    for name, text in {"params": params, "preset": preset}.items():
        (root / f"{name}.yaml").write_text(text)
    values, changes = presets.merge(
        *(copy.deepcopy(presets._read(root / f"{name}.yaml")) for name in ("params", "preset"))
    )
    return presets.dump(values), changes


def test_the_promised_presets_are_there() -> None:
    assert {"demo", "psa", "irn"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_valid_and_a_second_time_changes_nothing(root: Path, name: str) -> None:
    presets.apply(root, name)
    assert presets.apply(root, name) == []
    assert "# first blocks that do not train" in (root / "params.yaml").read_text()


def test_demo_is_what_is_shipped(root: Path) -> None:
    assert presets.apply(root, "demo") == []
    assert (root / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_recipe_does_not_depend_on_what_was_there(root: Path) -> None:
    """To the byte, after any other; so demo leads back to what is shipped, comments in their columns."""
    shipped = (ROOT / "params.yaml").read_bytes()
    alone = {}
    for name in NAMES:
        presets.apply(root, name)
        alone[name] = (root / "params.yaml").read_bytes()
        presets.apply(root, "demo")
        assert (root / "params.yaml").read_bytes() == shipped, name
    for name in reversed(NAMES):
        presets.apply(root, name)
        assert (root / "params.yaml").read_bytes() == alone[name], name


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_keeps_the_pictures(root: Path, name: str) -> None:
    needs_masks = read_yaml(root / "presets" / f"{name}.yaml").get("few_shot", {}).get("folds")
    truth = "available" if needs_masks else "none"
    mine = {"dataset.source": "folder", "dataset.name": "mine", "dataset.truth": truth, "generate.train": 90}
    presets.set_values(root, mine)
    before = read_yaml(root / "params.yaml")
    presets.apply(root, name)
    after = read_yaml(root / "params.yaml")
    kept = before["dataset"] | {"annotations": after["dataset"]["annotations"]}  # the recipe's
    assert after["dataset"] == kept and after["generate"] == before["generate"]


@pytest.mark.parametrize("name", DATA)
def test_a_data_set_keeps_the_recipe(root: Path, name: str) -> None:
    presets.apply(root, "psa")
    before = read_yaml(root / "params.yaml")
    presets.apply(root, name)
    after = read_yaml(root / "params.yaml")
    assert {key for key in after if after[key] != before[key]} <= {"dataset", "generate"}
    presets.apply(root, "synthetic")
    assert read_yaml(root / "params.yaml") == before


def test_what_is_learnt_from_is_the_recipe_s(root: Path) -> None:
    """And so a data set keeps it, and the next recipe does not."""
    presets.apply(root, "scribbles")
    presets.apply(root, "synthetic")
    assert read_yaml(root / "params.yaml")["dataset"]["annotations"] == "scribbles"
    presets.apply(root, "crf-only")
    assert read_yaml(root / "params.yaml")["dataset"]["annotations"] == "none"


def test_a_recipe_that_sets_a_data_set_is_refused(root: Path) -> None:
    (root / "presets" / "bad.yaml").write_text("dataset:\n  name: synthetic\n")
    with pytest.raises(ValueError, match="a recipe sets no dataset"):
        presets.apply(root, "bad")
    (root / "presets" / "bad.yaml").write_text("dataset: 5\n")
    with pytest.raises(ValueError, match=r"bad.yaml: dataset is a section$"):
        presets.apply(root, "bad")


def test_the_published_decoder_is_whole(root: Path) -> None:
    presets.apply(root, "voc-mobilenet")
    presets.apply(root, "psa")
    values = read_yaml(root / "params.yaml")
    assert values["segmenter"]["options"] == {}
    assert {values[step]["precision"] for step in ("classifier", "seeds", "predictions")} == {"fp32"}


def test_a_comment_that_was_pushed_comes_back(tmp_path: Path) -> None:
    long = "[" + "x" * 40 + "]"
    params = "a: [1]                  # what\n"
    text, _ = small(tmp_path, params, f"a: {long}\n")
    assert text == f"a: {long}  # what\n"
    assert small(tmp_path, text, "a: [1]\n")[0] == params


def test_braces_that_are_empty_empty_the_mapping(tmp_path: Path) -> None:
    text, changes = small(tmp_path, "options: {x: 1}\n", "options: {}\n")
    assert (text, changes) == ("options: {}\n", [("options.x", 1, None)])


def test_notes_are_the_lines_below_the_title(root: Path) -> None:
    assert "docs/weights.md" in presets.notes(root, "voc-mobilenet")[0]


def test_published_numbers(root: Path) -> None:
    changes = {key: new for key, _, new in presets.apply(root, "psa")}
    assert changes["pseudo_labels.random_walk.alpha"] == 16
    assert changes["classifier.optimizer.momentum"] == 0
    changes = {key: (old, new) for key, old, new in presets.apply(root, "irn")}
    assert changes["pseudo_labels.random_walk.beta"] == (8, 10)
    assert changes["affinity_labels.irn.threshold_background"] == (0.1, 0.05)


def test_coco_is_irn_s_recipe_until_the_segmenter_and_comes_with_its_pictures(root: Path) -> None:
    """As ReCAM's code has it: IRN's own numbers. The segmenter's are deeplab-pytorch's for COCO."""
    presets.apply(root, "irn")
    irn = read_yaml(root / "params.yaml")
    presets.apply(root, "coco")
    presets.apply(root, "coco2014")
    coco = read_yaml(root / "params.yaml")
    for step in ("classifier", "seeds", "affinity_labels", "affinity", "pseudo_labels"):
        differs = {key for key in coco[step] if coco[step][key] != irn[step][key]}
        assert differs <= {"precision"}, step
    steps = 82_783 // coco["segmenter"]["batch"] * coco["segmenter"]["epochs"]
    assert abs(steps - 100_000) < 82_783 // coco["segmenter"]["batch"] / 2
    assert coco["segmenter"]["network"] == "deeplabv2"
    assert (coco["dataset"]["source"], coco["dataset"]["train"]) == ("coco", "train2014")
    assert {coco[step]["precision"] for step in ("classifier", "affinity", "segmenter")} == {"bf16"}


def test_comments_and_layout_stay(tmp_path: Path) -> None:
    params = "# head\na:        # block\n  b: 1    # one\n\n  c: [1, 2]  # list\nd: null   # nothing\n"
    text, changes = small(tmp_path, params, "a: {}\n".replace("{}", "\n  b: 2  # source\n  c: [3, 4]\n"))
    assert text == params.replace("b: 1", "b: 2").replace("[1, 2]", "[3, 4]")
    assert changes == [("a.b", 1, 2), ("a.c", [1, 2], [3, 4])]


def test_braces_replace_the_whole_mapping(tmp_path: Path) -> None:
    text, changes = small(tmp_path, "options: {x: 1, y: 2}\n", "options: {y: 3}\n")
    assert text == "options: {y: 3}\n"
    assert changes == [("options.x", 1, None), ("options.y", 2, 3)]


def test_an_invalid_result_is_not_written(root: Path) -> None:
    (root / "presets" / "bad.yaml").write_text("seeds:\n  method: camm\nevaluation:\n  bins: 20\n")
    with pytest.raises(ValueError, match=r"params.yaml with preset bad[^$]*seeds\.method"):
        presets.apply(root, "bad")
    assert (root / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_an_unknown_name_lists_the_known(root: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no preset .*psa.; there are a2gnn, best, boxes, chen, class-distribution, clip"
    ):
        presets.apply(root, "../psa")


def test_other_yaml_files_are_written_as_before(root: Path) -> None:
    """ruamel keeps what represents a value in a class that all writers of the process share."""
    params = presets._read(root / "params.yaml")
    assert "longest_side: null\n" in presets.dump(params)
    stream = io.StringIO()
    YAML().dump({"a": None}, stream)
    assert stream.getvalue() == "a:\n"


def test_a_file_that_is_no_yaml_is_said_in_one_line():
    with pytest.raises(ValueError, match=r"^here is not valid YAML: line 2, column 1: a tab [^\n]*$"):
        presets.parsed("a:\n\tb: 1\n", "here")
