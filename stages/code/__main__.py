"""The first stage: which code each step runs, with the methods that params.yaml chooses -> data/code.

A stage depends on data/code/<step>, so it runs again when a file that it uses changed, and for no other.
"""

from pathlib import Path

from stages.common import door, stamps
from stages.common.artifacts import output_folder, write_atomic


def main() -> str:
    texts = stamps.all_of(Path())
    with output_folder(Path(stamps.FOLDER)) as folder:
        for step, text in texts.items():
            write_atomic(folder / step, text)
    write_atomic(Path(stamps.NOTHING), stamps.EMPTY)
    used = {path for text in texts.values() for path in stamps.files(text)}
    return f"code: {len(used)} files of {len(texts)} steps"


if __name__ == "__main__":
    door.run("code")
