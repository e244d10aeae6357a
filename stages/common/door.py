"""The common door of all steps: user errors in one line, everything else with its traceback."""

import importlib
import sys


def run(step: str) -> None:
    """Run `main` of stages.<step>.__main__ and print the line that it returns.

    The module is imported under its full name, or what it defines would be called __main__.X, which
    a spawned worker process cannot unpickle. A ValueError or a missing file ends with one message.
    """
    try:
        line = importlib.import_module(f"stages.{step}.__main__").main()
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(line, flush=True)
