"""The common door of all steps: user errors in one line, everything else with its traceback.

That a step ends with the process that started it is older than its door: stages/__init__.py.
"""

import importlib
import os
import sys
import unicodedata
from pathlib import Path

from stages.common import inputs

USER_ERRORS = (ValueError, FileNotFoundError)  # a parameter, a file, a variable of the environment
USER_ERROR = 2  # their exit status: what a retry cannot mend


KEPT = frozenset("\n\t\u200c\u200d")  # joiners belong to scripts and emoji


def visible(text: object) -> str:
    """Text for a terminal: what would steer it, or turn the direction of reading, is written as \\xNN.

    Names of classes and files hold anything. Lines stay lines.
    """
    return "".join(map(_visible, str(text)))


def _visible(sign: str) -> str:
    steers = unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in KEPT
    return sign.encode("unicode_escape").decode() if steers else sign


def run(step: str) -> None:
    """Run `main` of stages.<step>.__main__ and print the line that it returns.

    The module is imported under its full name, or what it defines would be called __main__.X, which
    a spawned worker process cannot unpickle. A ValueError or a missing file ends with one message
    and the exit status USER_ERROR; any other exception with its traceback and 1. A step
    whose inputs changed while it ran fails too, for DVC would remember its result under the new ones.
    """
    try:
        with inputs.unchanged():
            line = importlib.import_module(f"stages.{step}.__main__").main()
    except USER_ERRORS as error:
        _tell_checkout()
        print(f"error: {visible(error)}", file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    print(visible(line), flush=True)


def _tell_checkout() -> None:
    """`dvc repro` removes a stage's outputs before it runs its command; `wsss run` puts them back itself."""
    stage, lock = os.environ.get("DVC_STAGE"), Path("dvc.lock")
    if not stage or os.environ.get("WSSS_PROGRESS") == "lines" or not lock.is_file():
        return
    if f"\n  {stage}:\n" in lock.read_text(errors="replace"):
        text = f"dvc has removed the last outputs of {stage}: `dvc checkout {stage}` brings them back"
        print(text, file=sys.stderr)
