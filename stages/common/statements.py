"""What of a file of Python can change a result: its lines without comments, docstrings and blank lines.

The lines that are left are as they were written, so every version of Python makes the same of a file.
"""

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterator

Extents = dict[int, list[tuple[int, int]]]
"""Where strings stand: by row, from 0, the first byte of each and the one behind its last."""

REST = 1 << 30  # of a row: the string goes on in the next


def only(content: bytes, tree: ast.Module) -> bytes:
    """The lines that do something, of a file that parses to `tree`; all of a file that is not in UTF-8.

    A comment within a string that is put together over several lines stays, for it is not told apart.
    """
    content = content.replace(b"\r\n", b"\n")
    if b"\r" in content or tokenize.detect_encoding(io.BytesIO(content).readline)[0] != "utf-8":
        return content
    lines = content.split(b"\n")
    strings, words = _strings(tree)
    silent = {row for node in words if _is_alone(node, lines) for row in _rows(node)}
    return b"\n".join(_kept(lines, strings, silent))


def _kept(lines: list[bytes], strings: Extents, silent: set[int]) -> Iterator[bytes]:
    for row, line in enumerate(lines):
        if row in silent:
            continue
        extents = strings.get(row, [])
        if any(end == REST for _, end in extents):
            yield line
        elif left := line[: _comment(line, extents)].rstrip():
            yield left


def _comment(line: bytes, extents: list[tuple[int, int]]) -> int:
    """Where the comment of a line begins: at the first # that is in no string; its length without one."""
    at = line.find(b"#")
    while at >= 0 and any(start <= at < end for start, end in extents):
        at = line.find(b"#", at + 1)
    return at if at >= 0 else len(line)


def _strings(tree: ast.Module) -> tuple[Extents, list[ast.expr]]:
    """All of them, and those that are a statement: docstrings, of names too."""
    extents: Extents = defaultdict(list)
    words: list[ast.expr] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and _is_string(node.value):
            words.append(node.value)
        if isinstance(node, ast.expr) and _is_string(node):  # in an f-string older Pythons give other places
            for row in (rows := _rows(node)):
                start = node.col_offset if row == rows[0] else 0
                end = node.end_col_offset if row == rows[-1] else REST
                extents[row].append((start, end or REST))
        else:
            waiting += ast.iter_child_nodes(node)
    return extents, words


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _rows(node: ast.expr) -> range:
    return range(node.lineno - 1, node.end_lineno or node.lineno)


def _is_alone(node: ast.expr, lines: list[bytes]) -> bool:
    """Whether nothing stands before or behind a docstring in its lines, save a comment."""
    rows = _rows(node)
    before, behind = lines[rows[0]][: node.col_offset], lines[rows[-1]][node.end_col_offset :]
    return not before.strip() and not behind.partition(b"#")[0].strip()
