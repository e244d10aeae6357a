"""dvc.lock with the lines of one stage in their place, and all others as they were.

DVC parses and writes the whole file for each stage, in Python, which is two thirds of what one of the stub
graph costs it. In the forks of the server it writes these lines instead, equal to the byte.
"""

import re
from typing import Any

HEAD = "schema: '2.0'\nstages:\n"
NAME = re.compile(r"^  (?=\S)", re.MULTILINE)  # a stage's name; what is below it stands further right


def spliced(text: str, entry: str) -> str:
    """`text` of dvc.lock with `entry`, a stage as `stages:` holds it: in place of its own, or at the end."""
    body = text.removeprefix(HEAD)
    starts = [found.start() for found in NAME.finditer(body)]
    own = [at for at in starts if body.startswith(entry.split("\n", 1)[0] + "\n", at)]
    if not own:
        return text + entry
    behind = next((at for at in starts if at > own[0]), len(body))
    return HEAD + body[: own[0]] + entry + body[behind:]


def install() -> None:
    """In this process, DVC writes its lock so. A file that does not begin as its own do is left to it."""
    from dvc.dvcfile import Lockfile
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    whole = Lockfile.dump_stages

    def dump_stages(self: Any, stages: Any, **kwargs: Any) -> None:
        try:
            with open(self.path, encoding="utf-8") as file:
                text = before = file.read()
        except FileNotFoundError:
            text = before = ""
        if not text.startswith(HEAD):
            return whole(self, stages, **kwargs)
        for stage in stages:
            entry = dumps_yaml({"stages": to_lockfile(stage, **kwargs)}).removeprefix("stages:\n")
            text = spliced(text, entry)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        if text != before:
            self.repo.scm_context.track_file(self.relpath)
        return None

    Lockfile.dump_stages = dump_stages
