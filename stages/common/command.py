"""The door of the commands that compute beside the recipe: predict, show, export, import.

As the steps' own (door.py), but a command has arguments and an exit status, and writes nothing that
DVC knows.
"""

import importlib
import sys

from stages.common.door import USER_ERROR, USER_ERRORS, visible

STOPPED = 130  # by Ctrl-C


def run(module: str) -> None:
    """Exit with what `main(arguments)` of `module` returns; a user's error is one message, and 2.

    The module is imported under its full name, for the reason that door.run gives.
    """
    try:
        code: int = importlib.import_module(module).main(sys.argv[1:])
    except USER_ERRORS as error:
        print(f"error: {visible(error)}", file=sys.stderr)
        code = USER_ERROR
    except KeyboardInterrupt:
        code = STOPPED
    raise SystemExit(code)
