"""Run the recipe. Each command imports what it needs, so that help is instant."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import complete
from pipeline.cli.app import RECIPE, app

Targets = Annotated[
    list[str] | None, typer.Argument(help="stages; without: all", autocompletion=complete.stages)
]


@app.command(rich_help_panel=RECIPE, epilog="Example: `wsss plan evaluation@seeds`")
def plan(
    targets: Targets = None,
    force: Annotated[
        list[str] | None, typer.Option(help="as `run --force`", autocompletion=complete.stages)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say what a run would do with every stage, and why. Starts nothing."""
    from pipeline.engine import recipe, terminal
    from pipeline.memory import plan as planning
    from pipeline.project.root import find_root

    root = find_root()
    planned = planning.make(root, targets or [], force or [])
    if as_json:
        print(terminal.plan_json(planned))
        return
    terminal.show_plan(planned)
    recipe.say_needs(root, planned, print)


@app.command(rich_help_panel=RECIPE, epilog="Example: `wsss run -j 2`")
def run(
    targets: Targets = None,
    start: Annotated[
        list[str] | None,
        typer.Option("--from", help="only this stage and all below it", autocompletion=complete.stages),
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(help="run this stage even if nothing changed", autocompletion=complete.stages),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="stages at the same time")] = 1,
    dry: Annotated[bool, typer.Option("--dry", help="only the plan")] = False,
) -> None:
    """Bring the recipe up to date; what did not change is not run."""
    from pipeline.engine import recipe
    from pipeline.project.root import find_root

    raise SystemExit(recipe.main(find_root(), targets or [], start or [], force or [], jobs, dry))


@app.command(
    rich_help_panel=RECIPE, epilog="Example: `wsss sweep pseudo_labels.random_walk.beta=4,8 --seeds 3`"
)
def sweep(
    axes: Annotated[
        list[str] | None,
        typer.Argument(
            help="KEY=VALUE,VALUE: the grid; KEY,KEY=V,V;V,V: values that go together",
            autocompletion=complete.keys,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="points: .csv, its columns keys, or a .yaml list")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="each point with every seed from 0 on")
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="runs at the same time")] = 1,
    name: Annotated[str | None, typer.Option(help="of the sweep; its runs are NAME-01, NAME-02, ...")] = None,
    revision: Annotated[str | None, typer.Option(help="the commit to run; without: HEAD")] = None,
    through: Annotated[str | None, typer.Option(help="prefect: each run a sub-flow in its UI")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            help="a stage that ends each run, with what it needs; may be repeated",
            autocompletion=complete.stages,
        ),
    ] = None,
    resume: Annotated[str | None, typer.Option(help="go on with this sweep as it was begun")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="say what would be computed, no more")] = False,
) -> None:
    """Run many sets of parameters, each in a worktree over the one cache, and compare them on a page."""
    from pipeline.project.root import find_root
    from pipeline.sweep.command import Asked, main

    asked = Asked(axes or [], file, seeds, name, revision, resume, to or [])
    drive = _through(find_root(), through) if through else None
    raise SystemExit(main(find_root(), asked, jobs, only_plan, drive))


@app.command(rich_help_panel=RECIPE, epilog="Example: `wsss ledger --only attribution --seeds 3 --plan`")
def ledger(
    of: Annotated[
        str,
        typer.Option(
            "--set", help="of pictures, as ledger/sets.yaml names it", autocompletion=complete.ledger_sets
        ),
    ] = "demo",
    only: Annotated[
        list[str] | None,
        typer.Option(help="a kind or a row; may be repeated", autocompletion=complete.ledger_rows),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="each row with every seed from 0 on")] = 3,
    seed: Annotated[int | None, typer.Option(min=0, help="run, show or draw this seed alone")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="runs at the same time")] = 1,
    only_plan: Annotated[bool, typer.Option("--plan", help="say what would be computed, no more")] = False,
    only_page: Annotated[bool, typer.Option("--page", help="write the page anew, run nothing")] = False,
    svg: Annotated[
        Path | None, typer.Option(dir_okay=False, help="draw the best rows into this file, run nothing")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="write what is made here to ledger/SET.jsonl and .md, run nothing")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="only runs that ledger/SET.jsonl does not have")] = False,
) -> None:
    """Run every method of ledger/ that is not run yet, the cheapest first, and set all on one page."""
    if only_plan + only_page + bool(svg) + keep > 1:
        raise ValueError("--plan says what would run, --page, --svg and --keep run nothing: choose one")
    if keep and seed is not None:
        raise ValueError("--keep writes all that is made here: leave --seed out")
    from pipeline.ledger.command import Do, main
    from pipeline.project.root import find_root

    do: Do = "plan" if only_plan else "page" if only_page else "keep" if keep else "run"
    raise SystemExit(main(find_root(), of, only or [], seeds, jobs, do, new, seed, svg))


def _through(root: Path, name: str) -> Callable[..., bool]:
    """What runs a sweep's runs elsewhere."""
    from pipeline.flows import deployments

    if name != "prefect":
        raise ValueError(f"--through {name}: only prefect is known")
    deployments.find_server(root)

    def drive(*arguments: Any) -> bool:
        from pipeline.flows.sweep import run  # imports Prefect, which takes seconds

        return run(*arguments)

    return drive
