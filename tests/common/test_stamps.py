"""What code a step runs, read from the files of a small made-up project."""

import hashlib

import pytest

from stages.common import stamps

FILES = {
    "stages/__init__.py": "VALUE = 1\n",
    "stages/a/__init__.py": '"""Only words."""\n',
    "stages/a/__main__.py": (
        "import numpy\nfrom stages.a import near\nfrom stages.a.params import A\n"
        'import importlib\nMODULE = importlib.import_module(f"stages.a.{METHOD}")\n'
    ),
    "stages/a/near.py": "def f():\n    import stages.late as late\n    return late\n",
    "stages/a/params.py": "from stages.common.params import Section\n",
    "stages/a/one.py": "X = 1\n",
    "stages/a/two.py": "X = 2\n",
    "stages/b/__main__.py": "from stages.b.tool import use\n",
    "stages/b/tool.py": (
        'from stages.a.near import f\ndef load(loss, net, term):\n    return (f"stages.b.losses.{loss}", '
        'f"stages.b.networks.{net}", f"stages.b.terms.{term}", f"stages.{net}.__main__")\n'
    ),
    "stages/b/losses/focal.py": "X = 1\n",
    "stages/b/losses/dice.py": "X = 1\n",
    "stages/b/networks/unet.py": "X = 1\n",
    "stages/b/terms/sobel.py": "X = 1\n",
    "stages/b/terms/semeda.py": "X = 1\n",
    "stages/common/params.py": "class Section: ...\n",
    "stages/late.py": "X = 1\n",
}
VALUES = {"a": {"method": "one"}, "b": {"loss": "focal", "network": "unet", "terms": {"sobel": {}}}}


def read(path: str) -> bytes | None:
    return FILES[path].encode() if path in FILES else None


def stamp(step: str, values: object = VALUES, **changed: str) -> str:
    """With the content of files replaced: `stages__a__one="X = 3"`."""
    files = {f"{path.replace('__', '/')}.py": text for path, text in changed.items()}
    return stamps.stamp(step, values, lambda path: files[path].encode() if path in files else read(path))  # type: ignore[arg-type]


def test_a_stamp_names_imports_late_ones_too_and_the_chosen_method() -> None:
    """Not the other method, no file without a statement, no schema but the base of all of them."""
    assert list(stamps.files(stamp("a"))) == [
        "stages/__init__.py", "stages/a/__main__.py", "stages/a/near.py", "stages/a/one.py",
        "stages/common/params.py", "stages/late.py",
    ]  # fmt: skip


def test_names_chosen_in_folders_of_a_step() -> None:
    """A name (loss), a map that holds only what is on (terms); another step's code comes with its imports."""
    found = set(stamps.files(stamp("b")))
    assert {path for path in found if path.startswith("stages/b/")} == {
        "stages/b/__main__.py", "stages/b/tool.py", "stages/b/losses/focal.py",
        "stages/b/networks/unet.py", "stages/b/terms/sobel.py",
    }  # fmt: skip
    assert "stages/a/near.py" in found
    both = {**VALUES, "b": {**VALUES["b"], "terms": ["sobel", "semeda"]}}
    assert set(stamps.files(stamp("b", both))) - found == {"stages/b/terms/semeda.py"}


def test_a_stage_that_is_a_foreach_over_methods_runs_those_of_its_list() -> None:
    found = [set(stamps.files(stamp("a", {"a": {"of": names}}))) for names in ([], ["two"])]
    assert found[1] - found[0] == {"stages/a/two.py"} and "stages/a/one.py" not in found[1]


def test_a_line_is_the_hash_of_a_files_statements() -> None:
    digest = hashlib.sha256(b"X = 1").hexdigest()
    assert f"{digest}  stages/a/one.py\n" in stamp("a") and stamps.digest(b"X = 1  # a word\n") == digest
    assert stamps.digest(b"def f(:") == hashlib.sha256(b"def f(:").hexdigest()


def test_an_edit_changes_the_stamps_of_what_runs_the_file_and_no_other() -> None:
    assert stamp("a", stages__a__two="X = 3") == stamp("a")  # the method that is not chosen
    assert stamp("a", stages__a__one="X = 3") != stamp("a")
    assert stamp("b", stages__a__one="X = 3") == stamp("b")
    assert stamp("a", stages__late="X = 3") != stamp("a") and stamp("b", stages__late="X = 3") != stamp("b")
    assert stamp("a", stages__a__params="X = 3") != stamp("a")  # it imported the base: a schema that does not
    assert stamp("a", stages__a__params="from stages.common.params import Section\nX = 3") == stamp("a")


def test_a_comment_a_docstring_and_a_blank_line_change_no_stamp() -> None:
    assert stamp("a", stages__a__one='"""Words."""\n\nX = 1  # one\n') == stamp("a")
    assert "stages/late.py" not in stamp("a", stages__late="# Words.\n")  # it has no statement


@pytest.mark.parametrize(
    "values", [{}, {"a": None}, {"a": {"method": 3}}, {"a": {"method": "../x"}}, {"a": {}}]
)
def test_a_choice_that_is_no_name_is_left_to_the_check_of_the_parameters(values: object) -> None:
    assert set(stamps.files(stamp("a"))) - set(stamps.files(stamp("a", values))) == {"stages/a/one.py"}


def test_what_does_not_parse_is_noted_as_it_is() -> None:
    broken = stamps.files(stamp("a", stages__a__near="def f(:"))
    assert "stages/a/near.py" in broken and "stages/late.py" not in broken


def test_differences_in_words() -> None:
    before, now = "1  x.py\n2  y.py\n", "3  y.py\n4  z.py\n"
    assert list(stamps.differences(before, now)) == [
        "x.py is run no more", "y.py changed", "z.py is run now",
    ]  # fmt: skip
    assert list(stamps.differences(before, before)) == []


def test_the_stamps_of_this_project_name_methods_that_are_chosen() -> None:
    """Read for real: the door of seeds and its method, and no other."""
    from stages.common.fingerprint import ROOT

    found = stamps.all_of(ROOT)
    names = set(stamps.files(found["seeds"]))
    assert {"stages/seeds/__main__.py", "stages/seeds/cam.py", "stages/seeds/multi_scale.py"} <= names
    assert not names & {"stages/seeds/vgatt.py", "stages/seeds/params.py", "stages/segmenter/network.py"}
    assert "stages/seeds/params.py" in stamps.files(found["parameters"]) and "code" not in found
    for step in ("segmenter", "predictions", "ceiling"):
        networks = {path for path in stamps.files(found[step]) if "/segmenter/networks/" in path}
        assert networks == {"stages/segmenter/networks/deeplabv3plus.py"}, step


EVERYWHERE = b"""
if a:
    import stages.a
elif b:
    import stages.b
else:
    import stages.c
try:
    import stages.d
except E:
    from stages import e
else:
    import stages.f
finally:
    import stages.g
for x in y:
    import stages.h
else:
    import stages.i
with z:
    async def f():
        class K:
            import stages.j
match x:
    case 1:
        import stages.k
"""


def test_an_import_counts_wherever_it_stands() -> None:
    found = {name for name in stamps._look(EVERYWHERE).imports if name.count(".") == 1}
    assert found == {f"stages.{letter}" for letter in "abcdefghijk"}
