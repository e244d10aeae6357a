"""Label anybody's pictures with the trained segmenter: `python -m stages.commands.predict A B --out DIR`.

With --like PICTURE --mask MASK, once or several times, the few-shot network labels: 1 is what these show.
DIR gets masks/NAME.png (palette, as data/predictions), overlays/NAME.jpg, areas.csv (how much of each picture
is of which class) and pictures.csv (which file is which NAME, and what is wrong with those without a mask).
It appears when all is done. A killed run goes on where it was: results are kept by what they were made from.
"""

import argparse
from pathlib import Path

from stages.commands.predict.found import find, problem, skipped
from stages.common import command
from stages.common.door import visible

MODEL = Path("data/segmenter")
NAMED = 5  # files by their names in a line


def main(arguments: list[str]) -> int:
    """Exit status 0, or 1 if a picture could not be labelled: the others are."""
    asked = _parse(arguments)
    files = find(asked.pictures)
    wrong = {file: why for file in files if (why := problem(file))}
    left = skipped(asked.pictures)
    if left:
        names = ", ".join(map(str, left[:NAMED])) + (", ..." if len(left) > NAMED else "")
        print(visible(f"skipped, no pictures by their names: {len(left)} ({names})"))
    if len(wrong) == len(files):
        lines = [f"{file}: {why}" for file, why in wrong.items()]
        raise ValueError("\n  ".join([f"no picture in {', '.join(asked.pictures)}", *lines]))
    for file, why in wrong.items():
        print(visible(f"{file}: {why}"))
    print(f"{len(files) - len(wrong)} pictures to label", flush=True)
    from stages.commands.predict.label import label  # only now: torch takes its time

    return label(asked, files, wrong)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wsss predict")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--like", action="append", default=[], type=Path)
    parser.add_argument("--mask", action="append", default=[], type=Path)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--overlap", type=int)
    parser.add_argument("--batch", type=int)
    asked = parser.parse_args(arguments)
    if asked.out.exists() and (not asked.out.is_dir() or any(asked.out.iterdir())):
        raise ValueError(f"{asked.out} is there already: name a new folder, results are never mixed")
    if len(asked.like) != len(asked.mask):
        found = f"{len(asked.like)} --like and {len(asked.mask)} --mask"
        raise ValueError(f"each --like needs its --mask, in the same order; found {found}")
    of_segmenter = (asked.tile, asked.overlap, asked.batch)
    if asked.like and any(value is not None for value in of_segmenter):
        raise ValueError(
            "--tile, --overlap and --batch are of the segmenter: --like takes each picture whole"
        )
    folder = asked.model or MODEL
    missing = [name for name in ("config.json", "weights.safetensors") if not (folder / name).is_file()]
    if missing and not asked.like:
        raise ValueError(
            f"{folder} holds no trained segmenter (no {missing[0]}): `wsss run segmenter` makes "
            "data/segmenter, `dvc checkout` takes it from the cache"
        )
    return asked


if __name__ == "__main__":
    command.run("stages.commands.predict.__main__")
