"""The common door of all steps: user errors in one line, everything else with its traceback."""

import sys
from collections.abc import Callable


def run(main: Callable[[], str]) -> None:
    """Print the line that `main` returns; a ValueError or a missing file ends with one message."""
    try:
        line = main()
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(line, flush=True)
