"""labels.csv as people's programs write it."""

import os
import subprocess
import sys

import pytest

from stages.dataset.table import read_table
from tests.dataset.test_bad_input import refused
from tests.dataset.test_good_sets import rows

PLAIN = "file,split,labels\na.png,train,cat\nb.png,train,cat;dog\nc.png,val,dog\n"
LABELS = ["cat", "cat;dog", "dog"]


def given(good, content: str | bytes, encoding: str = "utf-8") -> None:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    good.spoil = lambda: (good.root / "labels.csv").write_bytes(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(",", "\t"),
        PLAIN.replace(";", "|").replace(",", ";"),
        PLAIN.replace(";", "/").replace(",", ";").replace("/", ","),
        "sep=;\n" + PLAIN.replace(";", "|").replace(",", ";"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("file,split,labels", ' File , "SPLIT",\u200bLabels'),
        PLAIN.replace("\n", ",,\n") + "\n , ,\n\n",
        PLAIN.replace("cat;dog", "\"['cat', 'dog']\""),
        PLAIN.replace("train", "Train"),
        "nr,file,note,split,labels\n1,a.png,,train,cat\n2,b.png,x,train,cat;dog\n3,c.png,,val,dog\n",
    ],
    ids=range(11),
)
def test_the_same_table_in_many_forms(good, text, encoding):
    given(good, text, encoding)
    good.run()
    assert [row["labels"] for row in rows("data/dataset/index.csv")] == LABELS


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (PLAIN.replace("\n", "\nK\u00e4fer.png,train,cat\n", 1).encode("cp1252"),
         ["labels.csv is not UTF-8 text (line 2; as Windows-1252 it reads 'K\u00e4fer.png,train,cat'"]),
        (PLAIN.encode("utf-16-le"), ["zero bytes"]),
        ("", ["lacks the column(s) file, split, labels", "first line is ''"]),
        ("a.png,train,cat\n", ["first line is 'a.png,train,cat', which names no column"]),
        (PLAIN.replace("file", "filename"), ["lacks the column(s) file;", "rename 'filename' to 'file'"]),
        (PLAIN.replace("file", "file,file"), ["column file is there twice"]),
        ("file;split;labels\na.png;train;cat;dog\n", ["in line 2; labels are separated by ','"]),
        (PLAIN.replace(",val", ",valid"), ["labels.csv:4: split is 'valid'", "dataset.val to valid"]),
        (PLAIN.replace("train", "dev"), ["labels.csv:2, labels.csv:3: split is 'dev', not train or val"]),
        (PLAIN.replace(",val", ",train"), ["val: the split is empty: all pictures are train; make some val"]),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_table_that_is_refused_says_what_to_change(good, text, messages):
    given(good, text)
    refused(good, *messages)


def test_a_wrong_word_for_a_split_is_said_once(good):
    given(good, "file,split,labels\n" + "".join(f"{n}.png,validation,cat\n" for n in range(24)))
    text = refused(good, "labels.csv:2, labels.csv:3, labels.csv:4 and 21 more: split is 'validation'")
    assert len(text.splitlines()) == 2  # no word of an empty split or a class without pictures


def command(error: pytest.ExceptionInfo[ValueError]) -> str:
    return str(error.value).split("\n  ")[-1]


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_command_for_a_one_hot_table_converts_it(tmp_path, monkeypatch, separator):
    monkeypatch.chdir(tmp_path)
    text = "file, split, cat, dog\na.png,train,1,0\nb.png,train,1.0,1\nc.png,val,0,1\nd.png,val,,0\n"
    (tmp_path / "labels.csv").write_text(text.replace(",", separator))
    with pytest.raises(ValueError, match="the columns cat, dog hold 0 and 1, one per class") as error:
        read_table(tmp_path / "labels.csv")
    subprocess.run(command(error).replace("python", sys.executable, 1), shell=True, check=True)
    table = read_table(tmp_path / "labels.csv")
    assert [row["labels"] for _, row in table.rows] == [*LABELS, ""]


def test_the_command_for_a_split_draws_a_fifth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{number}.png,cat\n" for number in range(20))
    (tmp_path / "labels.csv").write_text(f"file,labels\n{lines}")
    with pytest.raises(ValueError, match=r"lacks the column\(s\) split") as error:
        read_table(tmp_path / "labels.csv")
    subprocess.run(command(error).replace("python", sys.executable, 1), shell=True, check=True)
    found = [row["split"] for _, row in read_table(tmp_path / "labels.csv").rows]
    assert (found.count("train"), found.count("val")) == (16, 4)


def test_a_fifo_or_a_device_is_no_table(good):
    (good.root / "labels.csv").unlink(missing_ok=True)
    good._folder = lambda: os.mkfifo(good.root / "labels.csv")
    refused(good, "labels.csv cannot be read: it is a FIFO, not a file")


@pytest.mark.parametrize("first", ["", "sep=;\n"])
def test_the_commands_keep_every_cell_as_it_is(tmp_path, monkeypatch, first):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text(f"{first}file;labels;cat;dog\n0001;NA;1;0\n0002;;0;1\n")
    with pytest.raises(ValueError, match="draw a fifth as val") as error:
        read_table(tmp_path / "labels.csv")
    draw = next(line for line in str(error.value).splitlines() if "sample(" in line)
    subprocess.run(draw.replace("python", sys.executable, 1), shell=True, check=True)
    found = {row["file"]: row["labels"] for _, row in read_table(tmp_path / "labels.csv").rows}
    assert found == {"0001": "NA", "0002": ""}
