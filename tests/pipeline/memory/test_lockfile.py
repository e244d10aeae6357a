"""dvc.lock after damage: what comes back, and what is left alone."""

import json
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from pipeline.memory import lockfile, plan
from tests.pipeline import stub


@pytest.fixture
def project(ran_stub, tmp_path):
    return ran_stub.copy(tmp_path / "project")


def stages(text: str) -> dict[str, object]:
    return YAML(typ="safe").load(text)["stages"]


def text_of(project: stub.Project) -> str:
    return (project.root / "dvc.lock").read_text()


def some(text: str) -> str:
    """Four of the entries, as DVC writes them: every byte of them is a place to cut at."""
    return lockfile.dump({name: stages(text)[name] for name in ("parameters", "generate", "seeds", "report")})


def test_cut_at_any_byte_all_entries_come_back(ran_stub):
    """The property: whatever is left of the file, after the repair it says what it said before."""
    text = some(text_of(ran_stub))
    known, wanted = lockfile.number_of_outputs(ran_stub.root, stub.READS), stages(text)
    line_ends = [place + 1 for place, letter in enumerate(text[:-1]) if letter == "\n"]
    for cut in sorted({*range(0, len(text), 5), *line_ends, len(text) - 1}):
        mended, lost = lockfile.mend(text[:cut], text, known)
        assert stages(mended) == wanted and set(lost) <= set(wanted), cut
    assert lockfile.mend(text, text, known) == (text, [])


def test_cut_while_a_new_entry_was_written(ran_stub):
    """The copy is older than what DVC was writing: entries that are whole stay, the others are the copy's."""
    new, known = some(text_of(ran_stub)), lockfile.number_of_outputs(ran_stub.root, stub.READS)
    old = stages(new)
    old["seeds"] = {**old["seeds"], "cmd": "python before.py"}
    del old["report"]
    copy = lockfile.dump(old)
    for cut in range(1, len(new), 7):
        mended, lost = lockfile.mend(new[:cut], copy, known)
        found = stages(mended)
        assert set(lost) <= set(old) <= set(found), cut
        for name, entry in found.items():
            if entry != old.get(name):  # a new one: all but its last line, the size of an output, is compared
                assert {**entry, "outs": 0} == {**stages(new)[name], "outs": 0}, (cut, name)
                assert entry["outs"][0]["md5"] == stages(new)[name]["outs"][0]["md5"], (cut, name)


RUBBISH = {
    "empty": "",
    "zeros": "\0" * 40,
    "head": "schema: '2.0'\n",
    "none": "stages:\n",
    "cut": "stages: [\n",
}


@pytest.mark.parametrize("rest", RUBBISH.values(), ids=RUBBISH)
def test_a_run_mends_it_and_goes_on(project, rest):
    text = text_of(project)
    (project.root / "dvc.lock").write_text(rest)
    done = stub.wsss(project, "run")
    assert "dvc.lock was damaged; back from the last copy: parameters, generate, " in done.stdout
    assert done.stdout.count(" unchanged ") == len(stub.READS)
    assert stages(text_of(project)) == stages(text)


def test_without_a_copy_git_has_one(project):
    commit(project)
    lockfile.backup_path(project.root).unlink()
    text = text_of(project)
    (project.root / "dvc.lock").write_text(text[:3000])
    assert "damaged" in lockfile.keep(project.root)[0]
    assert stages(text_of(project)) == stages(text)


def test_without_any_copy_the_whole_entries_stay(project):
    lockfile.backup_path(project.root).unlink()
    text = text_of(project)
    place = text.index("  seeds:")
    (project.root / "dvc.lock").write_text(text[: place + 200])
    assert "damaged" in lockfile.keep(project.root)[0]
    assert list(stages(text_of(project))) == ["parameters", "generate", "dataset", "classifier"]
    (project.root / "dvc.lock").write_text("")
    lockfile.backup_path(project.root).unlink()
    assert lockfile.keep(project.root) == ["dvc.lock was damaged; back from the last copy: nothing"]
    assert not (project.root / "dvc.lock").exists()  # an empty one stops DVC


def test_file_and_copy_are_both_cut(project):
    """What neither has whole is forgotten, and found again by the next run in the run cache."""
    text = text_of(project)
    cut = text[: text.index("params:", text.index("  seeds:"))]
    for path in (project.root / "dvc.lock", lockfile.backup_path(project.root)):
        path.write_text(cut)
    assert "damaged; back from the last copy: nothing" in lockfile.keep(project.root)[0]
    assert list(stages(text_of(project))) == ["parameters", "generate", "dataset", "classifier"]
    rows = plan.make(project.root).rows
    assert {row.state for row in rows.values()} == {plan.UNCHANGED, plan.RESTORABLE}
    known = lockfile.number_of_outputs(project.root, stub.READS)
    text, wanted = some(text), stages(some(text))
    for place in range(0, len(text), 37):
        mended, _ = lockfile.mend(text[:place], text[: len(text) - place], known)
        for name, entry in (stages(mended) if mended else {}).items():
            assert entry["outs"][0]["md5"] == wanted[name]["outs"][0]["md5"], (place, name)


def test_a_removed_file_does_not_come_back_from_git(project):
    """Nor in part: the first entries of the run after are no damage."""
    commit(project)
    (project.root / "dvc.lock").unlink()
    assert lockfile.keep(project.root) == []
    project.run("dvc", "repro", "-q", "generate")
    assert lockfile.keep(project.root) == []
    assert list(stages(text_of(project))) == ["parameters", "generate"]


def test_a_file_that_is_gone_is_left_alone(project):
    """So a user forgets all results; nor do they come back once the next run has written its first."""
    (project.root / "dvc.lock").unlink()
    assert lockfile.keep(project.root) == []
    project.run("dvc", "repro", "-q", "generate")
    assert lockfile.keep(project.root) == []
    assert list(stages(text_of(project))) == ["parameters", "generate"]


def test_what_git_checks_out_is_left_alone(project):
    """Also when entries are fewer, and also after the next stage has changed the file again."""
    text = text_of(project)
    few = {name: stages(text)[name] for name in ("parameters", "generate")}
    (project.root / "dvc.lock").write_text(lockfile.dump(few))
    commit(project)
    (project.root / "dvc.lock").write_text(text)
    lockfile.keep(project.root)
    project.run("git", "checkout", "-q", "dvc.lock")
    assert lockfile.keep(project.root) == []
    project.run("dvc", "repro", "-q", "dataset")
    assert lockfile.keep(project.root) == []
    assert list(stages(text_of(project))) == ["parameters", "generate", "dataset"]


@pytest.mark.parametrize("gone", ["report", "evaluation@crf"])
def test_a_stage_that_left_dvc_yaml_does_not_come_back(project, gone):
    """One of a foreach too."""
    yaml = YAML()
    values = yaml.load(project.root / "dvc.yaml")
    if gone == "report":
        del values["stages"]["report"]
    else:
        del values["stages"]["evaluation"]["foreach"]["crf"]
        values["stages"]["report"]["deps"].remove(stub.out(gone))
    yaml.dump(values, project.root / "dvc.yaml")
    left = {name: entry for name, entry in stages(text_of(project)).items() if name != gone}
    (project.root / "dvc.lock").write_text(lockfile.dump(left))
    assert lockfile.keep(project.root) == []
    (project.root / "dvc.lock").write_text("")
    lockfile.keep(project.root)
    assert stages(text_of(project)) == left


def test_an_output_that_left_dvc_yaml_is_no_damage(project):
    """With the same command, an entry of fewer outputs looks like one that was cut short."""
    yaml, path = YAML(), project.root / "dvc.yaml"
    values = yaml.load(path)
    outs = values["stages"]["segmenter"]["outs"]
    outs.append("data/extra")
    yaml.dump(values, path)
    entry = stages(text_of(project))["segmenter"]
    entry["outs"].append({"path": "data/extra", "hash": "md5", "md5": "0" * 32, "size": 1})
    (project.root / "dvc.lock").write_text(lockfile.dump({**stages(text_of(project)), "segmenter": entry}))
    assert lockfile.keep(project.root) == []  # both have it
    outs.pop()
    yaml.dump(values, path)
    entry["outs"].pop()
    without = lockfile.dump({**stages(text_of(project)), "segmenter": entry})
    (project.root / "dvc.lock").write_text(without)  # as the next run writes it
    assert lockfile.keep(project.root) == [] and text_of(project) == without


def test_marks_of_a_merge_are_the_users(project):
    text = text_of(project)
    marked = text.replace("  seeds:\n", "<<<<<<< HEAD\n  seeds:\n=======\n>>>>>>> other\n")
    (project.root / "dvc.lock").write_text(marked)
    done = stub.wsss(project, "run", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("error: dvc.lock has the marks of a merge: ")
    assert text_of(project) == marked


def test_damage_during_a_run_is_mended_before_the_next_stage(project):
    """The stage itself spoils the file, as a kill of another dvc would."""
    lockfile.keep(project.root)
    with (project.root / "work.py").open("a") as file:
        file.write("if name == 'dataset':\n    os.truncate('dvc.lock', 2500)\n")
    before = set(stages(text_of(project)))
    done = stub.wsss(project, "run", "dataset")
    assert "dvc.lock was damaged; back from the last copy" in done.stdout
    assert set(stages(text_of(project))) == before
    assert stub.wsss(project, "plan", "dataset").stdout.count("unchanged") == 4  # three, and their sum


def test_list_of_files_in_use(project):
    """An empty .dvc/tmp/rwlock stops every dvc; a sound one of somebody at work stays."""
    rwlock = project.root / ".dvc/tmp/rwlock"
    rwlock.write_text("")
    assert "JSON structure is corrupted" in project.run("dvc", "repro", "-s", "report", check=False).stdout
    assert lockfile.keep(project.root) == ["DVC's list of files in use was damaged: removed"]
    assert "didn't change" in project.run("dvc", "repro", "-s", "report").stdout
    entry = {"write": {"/somewhere": {"pid": 1, "cmd": "dvc"}}, "read": {}}
    rwlock.write_text(json.dumps(entry))
    assert lockfile.keep(project.root) == []
    assert json.loads(rwlock.read_text()) == entry


def commit(project: stub.Project) -> None:
    project.run("git", "add", "-f", "dvc.lock")
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "lock")


WRITER = """
import pathlib, time
from dvc.repo import Repo
with Repo(".", _wait_for_lock=True) as repo:
    for _ in range(20):
        with repo.lock:
            text = pathlib.Path("dvc.lock").read_text()
            pathlib.Path("dvc.lock").write_text(text[:2500])
            time.sleep(0.1)
            pathlib.Path("dvc.lock").write_text(text)
        time.sleep(0.01)
print("done")
"""


def test_the_plan_never_reads_half_a_file(project):
    """DVC rewrites dvc.lock in place, for as long as it takes to dump it."""
    with subprocess.Popen([sys.executable, "-c", WRITER], cwd=project.root, stdout=subprocess.PIPE) as writer:
        looks = 0
        while writer.poll() is None:
            rows = plan.make(project.root).rows
            assert {row.state for row in rows.values()} == {plan.UNCHANGED}
            looks += 1
        assert writer.stdout.read() == b"done\n" and looks >= 2
