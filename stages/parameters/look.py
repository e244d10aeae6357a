"""`wsss check`: the look of the stage `parameters`, without its stamp: `python -m stages.parameters.look`."""

from stages.common import command
from stages.parameters.__main__ import look


def main(arguments: list[str]) -> int:
    look()
    return 0


if __name__ == "__main__":
    command.run("stages.parameters.look")
