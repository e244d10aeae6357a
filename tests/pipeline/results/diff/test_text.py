"""Names of others in a comment of a pull request: text, whatever GitHub would make of it."""

import pytest

from pipeline.project.tables import markdown
from pipeline.results.diff import text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat", "cat"),
        ("@octocat", "@&#8203;octocat"),
        ("#12", "\\#&#8203;12"),
        ("GH-12", "GH&#8203;-12"),
        ("$x$", "<span>$</span>x<span>$</span>"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("[a](b) *c* `d`", "\\[a\\](b) \\*c\\* \\`d\\`"),
        ("http://evil.example", "http&#8203;://evil.example"),
        ("www.evil.example", "www&#8203;.evil.example"),
        ("\u202egnp\x1b", "\\\\u202egnp\\\\x1b"),
    ],
)
def test_names_are_text(name: str, shown: str) -> None:
    assert text._words(name) == shown


def test_a_name_cannot_leave_its_cell() -> None:
    assert markdown(["class"], [[text._words("a | b\nc")]]).splitlines()[2] == "| a \\| b c |"


def test_a_comment_is_not_longer_than_github_takes() -> None:
    parts = ["first", "x" * text.MOST, "last"]
    assert text._fitting(parts) == ["first", "last", text.CUT]
    many = text._fitting(["y" * 1000] * 200)
    assert many[-1] == text.CUT and many.count(text.CUT) == 1 and sum(len(part) + 1 for part in many) < 65_536
