"""Parameters and pictures. Each command imports what it needs, so that help is instant."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import complete
from pipeline.cli.app import PARAMETERS, app

FORMATS = ("coco", "yolo", "cvat", "labelme", "label-studio", "voc", "imagefolder", "onehot", "masks")


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss preset psa`")
def preset(
    name: Annotated[
        str | None, typer.Argument(help="without it: list them", autocompletion=complete.presets)
    ] = None,
) -> None:
    """Set a recipe, or a data set, in params.yaml; show what changes and what it needs."""
    from pipeline.engine import needs
    from pipeline.project import presets
    from pipeline.project.keys import text
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
                print(f"  {each:<21}{about}")
        return
    changes = presets.apply(root, name)
    for key, old, new in changes:
        print(visible(f"{key}: {text(old)} -> {text(new)}"))
    for line in (*presets.notes(root, name), *needs.of(root)):
        print(visible(line))
    print(f"{len(changes)} value(s) changed; `wsss run` runs it" if changes else "params.yaml is so already")


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss params segmenter.optimizer.lr`")
def params(
    key: Annotated[
        str | None, typer.Argument(help="without it: the sections", autocompletion=complete.keys)
    ] = None,
) -> None:
    """What a key of params.yaml means, what may stand there, who reads it, and which presets set it."""
    from pipeline.project import keys
    from pipeline.project.root import find_root
    from stages.common.door import visible

    for line in keys.show(find_root(), key):
        print(visible(line))


@app.command(rich_help_panel=PARAMETERS, epilog="Example: `wsss link my-pictures path/to/my-pictures`")
def link(name: str, path: Path) -> None:
    """Make pictures (or maps, regions of them) known by NAME: a git-ignored link data/raw/NAME to PATH."""
    from pipeline.project.links import found, regions_at
    from pipeline.project.links import link as make_link
    from pipeline.project.root import find_root
    from stages.common.door import visible

    root = find_root()
    place = make_link(root, name, path)
    data_set = "" if regions_at(place) else f"; set dataset.name to {name}"
    print(visible(f"{place.relative_to(root)} -> {place.readlink()}{data_set}"))
    print(visible(found(place)))


@app.command(
    "import", rich_help_panel=PARAMETERS, epilog="Example: `wsss import coco path/to/coco --out my-pictures`"
)
def import_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}; or regions",
            autocompletion=lambda: [*FORMATS, "regions"],
        ),
    ],
    path: Annotated[Path, typer.Argument(help="the file of annotations, or the folder with all")],
    out: Annotated[Path, typer.Option(help="a new folder")],
    val: Annotated[
        float | None, typer.Option(help="the share of val where the source has no split; without: 0.2")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="their folder, if it is not in PATH; of regions: to check them")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="a file of names, in the order of indices, if the source has none")
    ] = None,
    colours: Annotated[
        Path | None, typer.Option(help="masks: a CSV class,colour of #rrggbb or values")
    ] = None,
    threshold: Annotated[
        int | None, typer.Option(min=0, max=254, help="masks: grey above it is 255, the rest 0")
    ] = None,
    none: Annotated[
        list[str] | None, typer.Option(help="a label that means no class, as good; several times for more")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="copy pictures; without: hard links")] = False,
) -> None:
    """Turn a set of a known format, or SAM's regions, into a folder to link. On an error nothing is made."""
    from pipeline.project import children
    from pipeline.project.root import find_root

    options: list[str] = [f"--out={out.absolute()}", *(f"--none={name}" for name in none or [])]
    files = {"pictures": pictures, "classes": classes, "colours": colours}
    options += [f"--{name}={file.absolute()}" for name, file in files.items() if file is not None]
    numbers = {"val": val, "threshold": threshold}
    options += [f"--{name}={number}" for name, number in numbers.items() if number is not None]
    options += ["--copy"] * copy
    arguments = [*options, "--", kind, str(path.absolute())]
    raise SystemExit(children.run(find_root(), "stages.commands.importing", arguments))


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
