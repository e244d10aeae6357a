"""Upkeep, and other machines. Each command imports what it needs, so that help is instant."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import UPKEEP, app


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss doctor`")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    clear_locks: Annotated[
        bool, typer.Option("--clear-locks", help="remove what dead processes left in lists of locks")
    ] = False,
    clear_worktrees: Annotated[
        bool, typer.Option("--clear-worktrees", help="remove worktrees of runs that nobody works in")
    ] = False,
) -> None:
    """Check the environment and the project: what is wrong, and what to do."""
    from pipeline.project.root import find_root
    from pipeline.upkeep import doctor as checking

    raise SystemExit(checking.main(find_root(), as_json, clear_locks, clear_worktrees))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss prune --keep-last 20`")
def prune(
    keep_last: Annotated[int, typer.Option(min=1, help="commits of a worktree whose results stay")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    projects: Annotated[
        list[Path] | None, typer.Option(help="another clone on the same cache; once for each")
    ] = None,
) -> None:
    """Remove results from the cache that no kept commit, branch or workspace names. Says first which."""
    from pipeline.project.root import find_root
    from pipeline.upkeep import prune as pruning

    raise SystemExit(pruning.main(find_root(), keep_last, yes, projects or []))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss serve --port 4300`")
def serve(port: Annotated[int, typer.Option(min=1, max=65535, help="of the UI")] = 4200) -> None:
    """Start Prefect on this machine: a server with a UI on 127.0.0.1, a worker, the deployments."""
    from pipeline.flows import serve as serving
    from pipeline.project.root import find_root

    raise SystemExit(serving.main(find_root(), port))


@app.command(rich_help_panel=UPKEEP, epilog="Example: `wsss deploy`")
def deploy() -> None:
    """Make the work pools on a Prefect server, PREFECT_API_URL, and send it the deployments."""
    import os

    from pipeline.flows import deployments, password
    from pipeline.project.root import find_root

    if not os.environ.get("PREFECT_API_URL"):
        raise ValueError("PREFECT_API_URL is not set: export PREFECT_API_URL=http://SERVER:4200/api")
    root = find_root()
    password.check(os.environ)
    for name in deployments.deploy(root, {**os.environ, **password.of_served(root, os.environ)}):
        print(f"{name} is deployed")
    for risk in password.risks(os.environ["PREFECT_API_URL"]):
        print(f"warning: {risk}; see docs/prefect.md", file=sys.stderr)


@app.command("plots-setup", rich_help_panel=UPKEEP, epilog="Example: `wsss plots-setup`")
def plots_setup() -> None:
    """Make the page of `dvc plots show` readable without a network."""
    from pipeline.project.root import find_root
    from pipeline.upkeep.plots import setup

    root = find_root()
    print(f"{setup(root).relative_to(root)} is written; `dvc plots show` uses it")
