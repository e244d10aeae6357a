"""The command `wsss` without its commands: options, and the groups of its help."""

from typing import Annotated

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
