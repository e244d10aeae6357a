"""Names from outside in a terminal: as they are, or as escapes that can be seen, and never as orders."""

import pytest
from rich.markup import render

from pipeline.engine import terminal
from pipeline.memory.graph import Graph
from pipeline.memory.plan import WILL_RUN, Plan, Row
from pipeline.project import tables
from pipeline.project.outcomes import FAILED, Result
from pipeline.project.words import escape

NAMES = ("[/b]", "[bold]x", "\\[red]", "a[", "[/]", "[link=http://x]y", "\\")


@pytest.mark.parametrize("name", NAMES)
def test_markup_is_text(name: str) -> None:
    assert render(f"[red]{escape(name)}[/] end").plain.replace(" ", "") == f"{name}end"


def test_tables_show_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"class": name, "[b]": "1"} for name in (*NAMES, "\x1b]0;x\x07", "\u202ex")]
    tables.show("[/title]", rows)
    said = capsys.readouterr().out
    for text in (*NAMES, "[/title]", "[b]", "\\x1b]0;x\\x07", "\\u202ex"):
        assert text in said
    assert "\x1b" not in said and "\u202e" not in said


def test_reasons_and_stages_are_names_too(capsys: pytest.CaptureFixture[str]) -> None:
    stage, why = "evaluation@[/x]", "beta: [/a] -> \x9b31m"
    terminal.show_plan(Plan(Graph({}), {stage: Row(stage, WILL_RUN, (why,))}))
    terminal.show_results({stage: Result(stage, FAILED, why=why)}, 1.0)
    with terminal.Terminal() as listener:
        listener.line(stage, why)
        listener.result(Result(stage, FAILED, why=why))
    said = capsys.readouterr().out
    assert said.count("evaluation@[/x]") >= 4 and said.count("[/a] -> \\x9b31m") == 4 and "\x9b" not in said
