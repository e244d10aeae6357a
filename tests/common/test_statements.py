"""What is left of a file of code, held against the tokens of Python's own reader."""

import ast
import io
import tokenize

import pytest

from stages.common.fingerprint import ROOT
from stages.common.statements import only

SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def kept(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    return only(content, ast.parse(content)).decode()


def tokens(text: str) -> list[str]:
    """Of all statements but those that are a text alone, without what only the eye sees."""
    found: list[str] = []
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in SILENT:
            continue
        statement.append(token)
        if token.type == tokenize.NEWLINE:
            if {one.type for one in statement} != {tokenize.STRING, tokenize.NEWLINE}:
                found += [one.string for one in statement if one.type != tokenize.NEWLINE] + ["\n"]
            statement = []
    return found


FILES = [path for folder in ("stages", "pipeline", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_of_every_file_here_the_statements_stay_and_nothing_else() -> None:
    assert len(FILES) > 500
    for path in FILES:
        text, left = path.read_text(), kept(path.read_bytes())
        assert tokens(left) == tokens(text), path
        comments = [one.string for one in tokenize.generate_tokens(io.StringIO(left).readline)
                    if one.type == tokenize.COMMENT]  # fmt: skip
        assert comments == [], path


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('"""Of the file."""\nx = 1\n', "x = 1"),
        ("# a word\n\nx = 1  # another\n\n\ny = 2\n", "x = 1\ny = 2"),
        ('def f():\n    """Of f.\n\n    More.\n    """\n    return 1\n', "def f():\n    return 1"),
        ('Read = int\n"""Of a name."""\n', "Read = int"),
        ('class A:\n    """Of A."""  # and a comment\n', "class A:"),
        ('class A: "short"\n', 'class A: "short"'),
        ('"""Words."""; x = 1\n', '"""Words."""; x = 1'),
        ("x = '#'  # a sign\n", "x = '#'"),
        ("x = f'{y}#{z}'  # a sign\n", "x = f'{y}#{z}'"),
        ("x = b'#' + b'#'  # a sign\n", "x = b'#' + b'#'"),
        ("x = 'ä#'  # bytes, not letters\n", "x = 'ä#'"),
        ('x = """a  \n\n# no comment\n"""  # but this\n', 'x = """a  \n\n# no comment\n"""'),
        ('x = f"""a\n\n# {y}\n"""\n', 'x = f"""a\n\n# {y}\n"""'),
        ('if x:\n    y = """a\n# b"""\n', 'if x:\n    y = """a\n# b"""'),
        ('x = f"""\n{y["#"]}"""  # a sign\n', 'x = f"""\n{y["#"]}"""'),
        ("x = (1,  # one\n     2)\n", "x = (1,\n     2)"),
        ("x = 1\r\n# a word\r\ny = 2\r\n", "x = 1\ny = 2"),
        ("", ""),
    ],
)
def test_what_is_left(text: str, left: str) -> None:
    assert kept(text) == left


@pytest.mark.parametrize(
    "content",
    [
        b"# -*- coding: latin-1 -*-\nx = '\xe4#'\n",
        b"\xef\xbb\xbfx = 1  # a word\n",  # as Windows begins a file in UTF-8
        b"x = 1\ry = 2  # rows end as nowhere else\n",
    ],
)
def test_of_another_encoding_or_ends_of_lines_all_is_left(content: bytes) -> None:
    assert only(content, ast.parse(content)) == content


def test_a_comment_between_parts_of_a_text_stays() -> None:
    text = "x = ('a'  # one\n     'b')"
    assert kept(text + "  # two\n") == text
