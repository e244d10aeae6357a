"""Look at results. Each command imports what it needs, so that help is instant."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import complete
from pipeline.cli.app import RESULTS, app


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss ladder --svg ladder.svg`")
def ladder(
    svg: Annotated[Path | None, typer.Option(help="draw it into this file instead")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="print it as CSV")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="print it as LaTeX (booktabs)")] = False,
) -> None:
    """Print the last run's ladder and where its pictures are."""
    if sum(map(bool, (svg, csv, latex))) > 1:
        raise ValueError("--svg, --csv and --latex each give the whole ladder: choose one")
    from pipeline.project.root import find_root
    from pipeline.results.ladder import draw, paste, show

    if svg:
        draw(find_root(), svg)
    elif csv or latex:
        paste(find_root(), "csv" if csv else "latex")
    else:
        show(find_root())


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss report`")
def report() -> None:
    """Write the page reports/index.html from the last run's results."""
    from pipeline.project.root import find_root
    from pipeline.results.report import page

    root = find_root()
    print(f"{page.write(root).relative_to(root)} is written: open it in a browser")


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss pull`")
def pull(
    run: Annotated[
        str | None, typer.Argument(help="another run, branch or commit: into the cache, for wsss diff")
    ] = None,
) -> None:
    """Fetch a finished run's numbers and pictures from the DVC remote, without its weights and masks."""
    from pipeline.project.root import find_root
    from pipeline.results import pulled

    raise SystemExit(pulled.main(find_root(), run))


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss show train_00139 --html train_00139.html`")
def show(
    identifier: Annotated[
        str,
        typer.Argument(metavar="ID", help="of a picture in data/dataset", autocompletion=complete.pictures),
    ],
    html: Annotated[Path | None, typer.Option(help="write a page")] = None,
    png: Annotated[Path | None, typer.Option(help="write a PNG; without either: reports/show/ID.png")] = None,
) -> None:
    """One picture through the recipe: what each step made of it, and its IoU there."""
    from pipeline.project.root import find_root
    from pipeline.results import show as showing

    files = [path.absolute() if path else None for path in (html, png)]
    raise SystemExit(showing.main(find_root(), identifier, *files))


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss diff main HEAD --html diff.html`")
def diff(
    a: Annotated[
        str,
        typer.Argument(
            metavar="[A]",
            help="a revision, run or point of a sweep",
            autocompletion=complete.revisions,
        ),
    ] = "HEAD",
    b: Annotated[
        str,
        typer.Argument(
            metavar="[B]",
            help="another; workspace: what lies here",
            autocompletion=complete.revisions,
        ),
    ] = "workspace",
    md: Annotated[bool, typer.Option("--md", help="markdown, for a pull request")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: everything")] = False,
    html: Annotated[Path | None, typer.Option(help="write a page with pictures")] = None,
    pictures: Annotated[int, typer.Option(min=0, help="on the page, at each rung")] = 8,
) -> None:
    """Compare two runs: parameters, ladder, classes, pictures, and where they part. Changes nothing."""
    if md and as_json:
        raise ValueError("--md and --json both write to standard output: choose one")
    from pipeline.project.root import find_root
    from pipeline.results.diff import comparison, text

    found = comparison.make(find_root(), a, b)
    if html:
        from pipeline.results.diff import page

        page.write(found, html.absolute(), pictures)
    if as_json:
        print(text.as_json(found))
    elif md:
        print(text.markdown(found))
    else:
        text.show(found)
        if html:
            print(f"{html} is written")
