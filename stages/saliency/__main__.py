"""Object and ground of the training pictures: `python -m stages.saliency METHOD`; -> data/saliency.

ID.npz, a map for each picture, of one class, `foreground`, as classes.json beside them says. A method trains
a network and keeps it there too, or reads maps that somebody made.
"""

import importlib
import sys

from stages.common import door
from stages.common.params import load
from stages.common.pictures import load_pictures
from stages.saliency.params import Saliency


def main() -> str:
    if len(sys.argv) != 2:
        raise ValueError("name a method: python -m stages.saliency c2am_h")
    method = sys.argv[1]
    params = load("saliency", Saliency, item=method)
    line: str = importlib.import_module(f"stages.saliency.{method}").save(
        params, load_pictures().split("train")
    )
    return line


if __name__ == "__main__":
    door.run("saliency")
