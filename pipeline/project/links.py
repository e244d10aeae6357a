"""Links to pictures: data/raw/NAME, out of git, so that no parameter holds a machine's path.

What is found there is said at once: which layout, how much, and what to set or to add.
"""

import contextlib
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.project.walk import odd_files
from stages.dataset.files import SUFFIXES, Finder
from stages.dataset.layouts import LOOSE, layout, looks_like, voc_base
from stages.dataset.params import Name

ARRAYS = (".npy", ".npz")
REGIONS = b'{"counts": ['  # how a file of regions begins


def link(root: Path, name: str, target: Path) -> Path:
    """Link data/raw/NAME to the folder `target`; the pictures are neither copied nor changed."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise ValueError(f"{name!r} is no name of a data set: letters, digits and _ . - only") from None
    if name == "synthetic":
        raise ValueError("synthetic is the generated data set: choose another name")
    target = Path(os.path.abspath(target))
    if not target.is_dir():
        raise ValueError(f"{target} is not a folder")
    if root.resolve().is_relative_to(target.resolve()):
        raise ValueError(f"{target} contains this project: link the folder of the pictures")
    for odd, what in odd_files(str(target)):
        raise ValueError(f"{odd} is {what}, which has no end: remove it, then link the folder")
    place = root / "data" / "raw" / name
    if place.is_symlink() and Path(os.readlink(place)) == target:
        return place
    if place.is_symlink() or place.exists():
        where = f"points to {os.readlink(place)}" if place.is_symlink() else "is a folder or file"
        raise ValueError(f"{place.relative_to(root)} exists and {where}: remove it or take another name")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)
    return place


def found(place: Path) -> str:
    """A sentence on what is at `place`: regions, or the layout of a set and what it lacks; what to set."""
    what, name = layout(place), place.name
    if regions := regions_at(place):
        keys = f"pseudo_labels.merge to masks, pseudo_labels.regions to raw/{name}"
        return f"regions of {regions} picture(s): set {keys}"
    if what == LOOSE or (not what and any(path.suffix in ARRAYS for path in place.iterdir())):
        maps = f"if these are maps of saliency, set saliency.of to [folder], saliency.maps to raw/{name}"
        return f"{looks_like(place)}; {maps}"
    if what not in ("voc", "folder"):
        return looks_like(place)
    folder = (voc_base(place) or place) / "JPEGImages" if what == "voc" else place / "images"
    count = sum(Path(file).suffix.lower() in SUFFIXES for file in Finder(folder).all)
    return f"{what} layout, {count} picture(s): set dataset.source to {what}"


def regions_at(place: Path) -> int:
    """The number of files as `wsss import regions` makes them, 0 for others: they all begin alike."""
    files = sorted(place.glob("*.json"))
    with contextlib.suppress(OSError):  # it only helps a message
        if files:
            with files[0].open("rb") as first:
                return len(files) if first.read(len(REGIONS)) == REGIONS else 0
    return 0
