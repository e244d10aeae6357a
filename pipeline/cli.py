"""The command `wsss`. Each command imports what it needs, so that help is instant."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    rich_markup_mode="markdown",  # for the groups of the help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Weakly-supervised segmentation as cached stages. `wsss run` brings the recipe up to date.",
    epilog="Examples: `wsss COMMAND -h`. Words: docs/glossary.md.",
)
RECIPE, PARAMETERS = "Run the recipe", "Parameters and pictures"
RESULTS, USE, UPKEEP = "Look at results", "Use the trained segmenter", "Upkeep, and other machines"


@app.callback()
def _everywhere(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", is_eager=True, callback=lambda on: _version(on)),
    ] = False,
) -> None:
    pass


def _version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        print(f"wsss {metadata.version('wsss-pipeline')}")
        raise typer.Exit()


Targets = Annotated[list[str] | None, typer.Argument(help="stages; without: all")]


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss preset psa`")
def preset(name: Annotated[str | None, typer.Argument(help="without it: list them")] = None) -> None:
    """Set a recipe, or a data set, in params.yaml; show what changes and what it needs."""
    from pipeline.engine import needs
    from pipeline.project import presets
    from pipeline.project.root import find_root
    from stages.common.door import visible

    root = find_root()
    if name is None:
        for title, known in (
            ("Recipes: all sections but dataset and generate", presets.names(root)),
            ("Data sets: only these two", presets.data_names(root)),
        ):
            print(title)
            for each, about in known.items():
                print(f"  {each:<16}{about}")
        return
    changes = presets.apply(root, name)
    for key, old, new in changes:
        print(visible(f"{key}: {_text(old)} -> {_text(new)}"))
    for text in (*presets.notes(root, name), *needs.of(root)):
        print(visible(text))
    print(f"{len(changes)} value(s) changed; `wsss run` runs it" if changes else "params.yaml is so already")


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss link my-pictures path/to/my-pictures`")
def link(name: str, path: Path) -> None:
    """Make pictures known by NAME: a git-ignored link data/raw/NAME to the folder PATH."""
    from pipeline.project.links import found
    from pipeline.project.links import link as make_link
    from pipeline.project.root import find_root
    from stages.common.door import visible

    root = find_root()
    place = make_link(root, name, path)
    print(visible(f"{place.relative_to(root)} -> {place.readlink()}; set dataset.name to {name}"))
    print(visible(found(place)))


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


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss classes`")
def classes() -> None:
    """How many pictures of each split show each class."""
    from pipeline.project import tables
    from pipeline.project.root import find_root
    from pipeline.results import data_set

    tables.show("Pictures by class", data_set.counts(data_set.read(find_root())))


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss data`")
def data() -> None:
    """What is in the data set: pictures, masks, sizes, classes, and which of them come together."""
    from pipeline.project.root import find_root
    from pipeline.results import data_set

    data_set.show(data_set.read(find_root()))


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss check`")
def check() -> None:
    """Check params.yaml, and that the pictures, weights and encoders that it names are there."""
    from pipeline.project import children
    from pipeline.project.root import find_root
    from stages.common.params import check as check_values
    from stages.common.params import read_yaml
    from stages.parameters.params import Parameters

    root = find_root()
    check_values(Parameters, read_yaml(root / "params.yaml"), "params.yaml")
    if code := children.run(root, "stages.parameters.look"):
        raise SystemExit(code)
    print("params.yaml is valid")


@app.command(rich_help_panel=RECIPE, epilog="Example: `wsss plan evaluation@seeds`")
def plan(
    targets: Targets = None,
    force: Annotated[list[str] | None, typer.Option(help="as `run --force`")] = None,
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
        list[str] | None, typer.Option("--from", help="only this stage and all below it")
    ] = None,
    force: Annotated[list[str] | None, typer.Option(help="run this stage even if nothing changed")] = None,
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
        typer.Argument(help="KEY=VALUE,VALUE: the grid; KEY,KEY=V,V;V,V: values that go together"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="points: .csv, its columns keys, or a .yaml list")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="each point with every seed from 0 on")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="runs at the same time")] = 1,
    name: Annotated[str | None, typer.Option(help="of the sweep; its runs are NAME-01, NAME-02, ...")] = None,
    revision: Annotated[str | None, typer.Option(help="the commit to run; without: HEAD")] = None,
    through: Annotated[str | None, typer.Option(help="prefect: each run a sub-flow in its UI")] = None,
    resume: Annotated[str | None, typer.Option(help="go on with this sweep as it was begun")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="say what would be computed, no more")] = False,
) -> None:
    """Run many sets of parameters, each in a worktree over the one cache, and compare them on a page."""
    from pipeline.project.root import find_root
    from pipeline.sweep.command import Asked, main

    asked = Asked(axes or [], file, seeds, name, revision, resume)
    drive = _through(find_root(), through) if through else None
    raise SystemExit(main(find_root(), asked, jobs, only_plan, drive))


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


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss doctor`")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    clear_locks: Annotated[
        bool, typer.Option("--clear-locks", help="remove what dead processes left in lists of locks")
    ] = False,
    clear_worktrees: Annotated[
        bool, typer.Option("--clear-worktrees", help="remove worktrees of runs that nobody works in")
    ] = False,
) -> None:
    """Check the environment and the project: what is wrong, and what to do."""
    from pipeline.project.root import find_root
    from pipeline.upkeep import doctor as checking

    raise SystemExit(checking.main(find_root(), as_json, clear_locks, clear_worktrees))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss prune --keep-last 20`")
def prune(
    keep_last: Annotated[int, typer.Option(min=1, help="commits of a worktree whose results stay")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    projects: Annotated[
        list[Path] | None, typer.Option(help="another clone on the same cache; once for each")
    ] = None,
) -> None:
    """Remove results from the cache that no kept commit, branch or workspace names. Says first which."""
    from pipeline.project.root import find_root
    from pipeline.upkeep import prune as pruning

    raise SystemExit(pruning.main(find_root(), keep_last, yes, projects or []))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss serve --port 4300`")
def serve(port: Annotated[int, typer.Option(min=1, max=65535, help="of the UI")] = 4200) -> None:
    """Start Prefect on this machine: a server with a UI on 127.0.0.1, a worker, the deployments."""
    from pipeline.flows import serve as serving
    from pipeline.project.root import find_root

    raise SystemExit(serving.main(find_root(), port))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss deploy`")
def deploy() -> None:
    """Make the work pools on a Prefect server, PREFECT_API_URL, and send it the deployments."""
    import os

    from pipeline.flows import deployments, password
    from pipeline.project.root import find_root

    if not os.environ.get("PREFECT_API_URL"):
        raise ValueError("PREFECT_API_URL is not set: export PREFECT_API_URL=http://SERVER:4200/api")
    root = find_root()
    password.check(os.environ)
    for name in deployments.deploy(root, {**os.environ, **password.of_served(root, os.environ)}):
        print(f"{name} is deployed")
    for risk in password.risks(os.environ["PREFECT_API_URL"]):
        print(f"warning: {risk}; see docs/prefect.md", file=sys.stderr)


@app.command("plots-setup", rich_help_panel=UPKEEP, epilog="Example: `wsss plots-setup`")
def plots_setup() -> None:
    """Make the page of `dvc plots show` readable without a network."""
    from pipeline.project.root import find_root
    from pipeline.upkeep.plots import setup

    root = find_root()
    print(f"{setup(root).relative_to(root)} is written; `dvc plots show` uses it")


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss show train_00139 --html train_00139.html`")
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="of a picture in data/dataset")],
    html: Annotated[Path | None, typer.Option(help="write a page")] = None,
    png: Annotated[Path | None, typer.Option(help="write a PNG; without either: reports/show/ID.png")] = None,
) -> None:
    """One picture through the recipe: what each step made of it, and its IoU there."""
    from pipeline.project.root import find_root
    from pipeline.results import show as showing

    files = [path.absolute() if path else None for path in (html, png)]
    raise SystemExit(showing.main(find_root(), identifier, *files))


@app.command(rich_help_panel=USE, epilog="Example: `wsss predict photos/ --out labelled`")
def predict(
    pictures: Annotated[list[str], typer.Argument(help="pictures, and folders of them")],
    out: Annotated[Path, typer.Option(help="a new folder for masks, overlays, areas.csv")],
    model: Annotated[
        Path | None, typer.Option(help="of a trained segmenter; without: data/segmenter")
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="pixels: a larger picture is cut into tiles; without: 2 x segmenter.augment.crop",
        ),
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="of tiles, in pixels; without: a quarter of a tile")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="pictures at a time; without: 8 on a GPU, else 1")
    ] = None,
) -> None:
    """Label any pictures with the trained segmenter. What cannot be read is listed, the rest is done."""
    from pipeline.project import children
    from pipeline.project.root import find_root

    options = [f"--out={out.absolute()}"]
    if model:
        options.append(f"--model={model.absolute()}")
    numbers = {"tile": tile, "overlap": overlap, "batch": batch}
    options += [f"--{name}={number}" for name, number in numbers.items() if number is not None]
    paths = [text if ":/" in text else str(Path(text).absolute()) for text in pictures]
    raise SystemExit(children.run(find_root(), "stages.commands.predict", [*options, "--", *paths]))


@app.command(rich_help_panel=RESULTS, epilog="Example: `wsss diff main HEAD --html diff.html`")
def diff(
    a: Annotated[str, typer.Argument(metavar="[A]", help="a revision, run or point of a sweep")] = "HEAD",
    b: Annotated[str, typer.Argument(metavar="[B]", help="another; workspace: what lies here")] = "workspace",
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


@app.command(rich_help_panel=USE, epilog="Example: `wsss export --onnx segmenter.onnx`")
def export(
    onnx: Annotated[Path, typer.Option(help="the file to write")],
    model: Annotated[
        Path | None, typer.Option(help="of a trained segmenter; without: data/segmenter")
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="HEIGHT WIDTH", help="of all pictures; without: any (not of pspnet, upernet)"),
    ] = None,
) -> None:
    """Write the trained segmenter as ONNX, checked: ONNX Runtime gives what torch gives."""
    from pipeline.project import children
    from pipeline.project.root import find_root

    options = [f"--onnx={onnx.absolute()}"]
    if model:
        options.append(f"--model={model.absolute()}")
    if size:
        options += ["--size", *map(str, size)]
    raise SystemExit(children.run(find_root(), "stages.commands.export", options))


def _text(value: Any) -> str:
    """A value in one line, as YAML writes it."""
    import json

    return value if isinstance(value, str) and value else json.dumps(value)


def main() -> None:
    """Run one command; a user's error is one message and exit code 1."""
    command = typer.main.get_command(app)
    try:
        code = command.main(sys.argv[1:] or ["--help"], prog_name="wsss", standalone_mode=False)
    except Exception as error:
        message = getattr(error, "format_message", None)  # of click's errors: bad usage
        if message is None and not isinstance(error, ValueError | OSError):
            raise
        from stages.common.door import visible

        print(f"error: {visible(message() if message else error)}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
