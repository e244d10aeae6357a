"""Use the trained segmenter. Each command imports what it needs, so that help is instant."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import USE, app


@app.command(rich_help_panel=USE, epilog="Example: `wsss predict photos/ --out labelled`")
def predict(
    pictures: Annotated[list[str], typer.Argument(help="pictures, and folders of them")],
    out: Annotated[Path, typer.Option(help="a new folder for masks, overlays, areas.csv")],
    model: Annotated[
        Path | None,
        typer.Option(help="of a trained network; without: data/segmenter, with --like that of data/few_shot"),
    ] = None,
    like: Annotated[
        list[Path] | None, typer.Option(help="a picture that shows what to find; several times for more")
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(help="the mask of each --like: 0 around the object, one other value on it"),
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
    """Label any pictures with the trained segmenter, or with --like find in them what a picture shows.

    What cannot be read is listed, the rest is done.
    """
    from pipeline.project import children
    from pipeline.project.root import find_root

    options = [f"--out={out.absolute()}"]
    if model:
        options.append(f"--model={model.absolute()}")
    options += [f"--like={path.absolute()}" for path in like or []]
    options += [f"--mask={path.absolute()}" for path in mask or []]
    numbers = {"tile": tile, "overlap": overlap, "batch": batch}
    options += [f"--{name}={number}" for name, number in numbers.items() if number is not None]
    paths = [text if ":/" in text else str(Path(text).absolute()) for text in pictures]
    raise SystemExit(children.run(find_root(), "stages.commands.predict", [*options, "--", *paths]))


@app.command(rich_help_panel=USE, epilog="Example: `wsss export --onnx segmenter.onnx`")
def export(
    onnx: Annotated[Path, typer.Option(help="the file to write")],
    model: Annotated[
        Path | None, typer.Option(help="of a trained segmenter; without: data/segmenter")
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="HEIGHT WIDTH", help="of all pictures; without: any (not of upernet)"),
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
