"""Where the project is, and writing its files whole."""

import os
from pathlib import Path


def find_root() -> Path:
    """The nearest folder, upwards from here, that holds dvc.yaml and params.yaml."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise ValueError(
        "no dvc.yaml and params.yaml here or above: wsss works inside a clone of the project's repository; "
        "`git clone ADDRESS`, then cd into its folder"
    )


def read_text(path: Path, where: str) -> str:
    """A file's text. ValueError where it is not UTF-8, naming it as `where`."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def write_whole(path: Path, text: str) -> None:
    """Write beside `path`, then rename over it: killed in between, the old file is still there.

    The content is on the disk before its name is, or a power cut could leave the new name with half of it.
    OSError names `path`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        partial.unlink(missing_ok=True)
