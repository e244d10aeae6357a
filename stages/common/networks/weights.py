"""Files of initial weights: named in params.yaml, found in a folder of the environment."""

import hashlib
import os
from pathlib import Path


def find_weights(name: str, sha256: str) -> Path:
    """The file `name` in the folder WSSS_WEIGHTS.

    ValueError where there is none, or its sha256 is another than `sha256`: a result never rests on
    weights that nobody can name.
    """
    folder = os.environ.get("WSSS_WEIGHTS")
    path = Path(folder or ".") / name
    if not folder or not path.is_file():
        raise ValueError(
            f"weights {name}: no such file in the folder WSSS_WEIGHTS={folder or '(not set)'}: "
            "docs/weights.md says where to get it, or how to take "
            "the library's (source: library, name: imagenet)"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():  # some programs print capitals
        raise ValueError(f"weights {path}: sha256 is {found}, params.yaml says {sha256}")
    return path
