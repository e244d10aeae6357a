"""What `wsss predict` says before anything slow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.asked import for_labels


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("data/segmenter/config.json", "data/segmenter/weights.safetensors", "in/a.png", "in/b.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")
    return tmp_path


def ask(root: Path, *pictures: str, out: str = "out", model: Path | None = None) -> list[str]:
    return list(for_labels(root, [Path(name) for name in pictures], Path(out), model))


def test_what_is_left_out_is_named_and_the_rest_is_done(root: Path):
    assert ask(root, "in/a.png") == []
    assert ask(root, "in", "nowhere.png") == [
        "cannot be labelled: nowhere.png: No such file or directory",
        "skipped, no pictures: in/b.txt",
    ]


def test_nothing_to_label_is_an_error(root: Path):
    with pytest.raises(ValueError, match=r"^https://example.org/a.jpg: .*\nnowhere.png: No such file"):
        ask(root, "https://example.org/a.jpg", "nowhere.png")


def test_results_are_never_mixed(root: Path):
    with pytest.raises(ValueError, match="in is there already: name a new folder"):
        ask(root, "in/a.png", out="in")


def test_no_trained_segmenter(root: Path):
    (root / "data/segmenter/weights.safetensors").unlink()
    with pytest.raises(ValueError, match=r"^data/segmenter holds no .* \(no weights.safetensors"):
        ask(root, "in/a.png")
    with pytest.raises(ValueError, match=r"^other holds no trained segmenter \(no config.json"):
        ask(root, "in/a.png", model=Path("other"))


def test_torch_is_not_imported_for_it():
    code = "import sys; from pipeline import asked; print(*{'torch', 'cv2', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"
