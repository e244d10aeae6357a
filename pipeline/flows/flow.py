"""The recipe as a Prefect flow: one task run per stage, over the engine's stage.py and recipe.py.

DVC decides and remembers; Prefect shows, schedules and limits. The flow is Failed when any stage is not
up to date, whatever Prefect makes of its tasks.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prefect.runtime
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from pipeline.engine import recipe, terminal, worktrees
from pipeline.engine.stage import Run
from pipeline.engine.workplace import Order, opened
from pipeline.flows import publish
from pipeline.flows.ending import STOP, close_dead_tasks, die_with_worker, uninterrupted
from pipeline.flows.tasks import Live, Tasks
from pipeline.flows.worker import elsewhere
from pipeline.memory import plan
from pipeline.project import git
from pipeline.project.root import find_root

# A thread per stage: most of them only wait, and `jobs` says how many run at once.
THREADS: TaskRunner[Any] = ThreadPoolTaskRunner(1000)


def _run_name() -> str:
    return str(prefect.runtime.flow_run.parameters.get("name") or prefect.runtime.flow_run.name)


@flow(flow_run_name=_run_name, task_runner=THREADS, persist_result=False)
def wsss(
    targets: list[str] = [],  # noqa: B006
    force: list[str] = [],  # noqa: B006
    overrides: dict[str, Any] = {},  # noqa: B006
    preset: str | None = None,
    revision: str | None = None,
    worktree: str | None = None,
    name: str | None = None,
    jobs: int = 2,
    pools: list[str] = [],  # noqa: B006
) -> State[Any]:
    """Bring the recipe up to date; what did not change is not run.

    Args:
        targets: Stages; none means all.
        force: Stages that run even if nothing changed.
        overrides: Parameters by dotted key, as {"seeds.method": "vgatt"}.
        preset: A preset that is merged first.
        revision: The commit, branch or tag to run.
        worktree: Work in this worktree, which stays for the next run, as nightly runs do.
        name: Of the run, and of the branch wsss/run/NAME that it becomes.
        jobs: Stages at the same time.
        pools: Work pools whose workers run the stages that `meta` sends there, as gpu; see docs/cluster.md.
    """
    die_with_worker()
    order = Order(_run_name(), targets, force, overrides, preset, revision, worktree, jobs, pools)
    stop = STOP.get() or threading.Event()
    try:
        return uninterrupted(lambda: bring_up_to_date(find_root(), order, stop), stop)
    except (ValueError, FileNotFoundError) as error:  # the user's: one message, and no trace
        return Failed(message=str(error))


def bring_up_to_date(root: Path, order: Order, stop: threading.Event) -> State[Any]:
    """The whole run: where, what, the tasks, the referee, the branch, the report."""
    if order.jobs < 1:
        raise ValueError(f"jobs must be 1 or more, found {order.jobs}")
    with _not_vital("task runs of killed runs"):
        close_dead_tasks()
    log, listener = get_run_logger(), Live()
    try:
        with opened(root, order, listener, log.info) as engine:
            engine.cancelled = stop
            engine.elsewhere = elsewhere(engine, order.pools) if order.pools else None
            planned = engine.make_plan(order.targets, order.force)
            engine.force = frozenset(planned.graph.known(order.force))
            log.info("plan: %s", terminal.summary(planned))
            results = recipe.referee(engine, Tasks(engine, planned, order.jobs).run())
            report = None if stop.is_set() else _report(root, order, engine, planned, results)
            if order.place and all(result.good for result in results.values()):
                branch = worktrees.keep(engine.root, order.place, f"Run {order.name}", order.targets)
                log.info("kept as branch %s", branch)
    finally:
        listener.close()
    with _not_vital("the report"):
        if report:
            publish.show(report, root)
    return verdict(results)


def _report(
    root: Path, order: Order, engine: Run, planned: plan.Plan, results: recipe.Results
) -> publish.Report | None:
    """Compared with the last run of that name, as nightly ones are, or else with what is committed."""
    known = order.place in git.branches(root)
    about = publish.About(engine.root, order.name, planned, results)
    with _not_vital("the report"):
        return publish.report(about, f"{git.BRANCH}{order.place}" if known else "HEAD")
    return None


@contextmanager
def _not_vital(what: str) -> Iterator[None]:
    """The outcome of a run is right, whether it can be shown or not."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("not in the UI: %s: %s: %s", what, type(error).__name__, error)


def verdict(results: recipe.Results) -> State[Any]:
    """Failed, and why, if any stage is not up to date."""
    faults = recipe.faults(results)
    return (
        Failed(message=faults) if faults else Completed(message=f"all {len(results)} stages are up to date")
    )
