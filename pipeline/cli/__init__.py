"""The command `wsss`: the door to all rooms. A file for each group of its help."""

import locale
import os
import sys

import typer

# They add their commands: in this order they stand in the help.
from pipeline.cli import recipe, parameters, results, use, upkeep  # noqa: F401  # isort: skip
from pipeline.cli.app import app


def main() -> None:
    """Run one command; a user's error is one message and exit code 1."""
    _as_utf8()
    command = typer.main.get_command(app)
    try:
        code = command.main(sys.argv[1:] or ["--help"], prog_name="wsss", standalone_mode=False)
    except Exception as error:
        message = getattr(error, "format_message", None)  # of click's errors: bad usage
        if message is None and not isinstance(error, ValueError | OSError):
            raise
        from stages.common.door import visible

        print(f"error: {visible(message() if message else error)}", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _as_utf8() -> None:
    """Begin again in UTF-8 where the terminal's encoding is another one: a project's files are UTF-8."""
    if locale.getpreferredencoding(False).lower() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
