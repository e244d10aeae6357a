"""A sweep as a Prefect flow: each run is a sub-flow, the flow `wsss` of flow.py, seen in the UI as it goes.

The flow is a part of this process, as a run started by hand is: Ctrl-C cancels it in order.
"""

import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Completed, Failed

from pipeline.engine.stage import message
from pipeline.flows.ending import STOP, uninterrupted
from pipeline.flows.flow import wsss
from pipeline.sweep.definition import Sweep, Trial
from pipeline.sweep.trials import CANCELLED, FAILED, FINISHED, NOT_RUN, Ended, Tell


def run(sweep: Sweep, trials: Sequence[Trial], jobs: int, tell: Tell) -> bool:
    """As trials.run, of the working folder's project, through the server of PREFECT_API_URL."""
    stop = threading.Event()

    @flow(name="wsss-sweep", flow_run_name=sweep.name, persist_result=False)
    def wsss_sweep(revision: str, runs: list[str], jobs: int) -> State[None]:
        return uninterrupted(lambda: _all(sweep, trials, jobs, stop, tell), stop)

    try:
        wsss_sweep(sweep.revision, [trial.name for trial in trials], jobs, return_state=True)
    except (TerminationSignal, KeyboardInterrupt):
        stop.set()
    return stop.is_set()


def _all(sweep: Sweep, trials: Sequence[Trial], jobs: int, stop: threading.Event, tell: Tell) -> State[None]:
    STOP.set(stop)
    bad = []
    with ThreadPoolExecutor(jobs) as pool:
        asked = []
        for trial in trials:  # each in a context of its own, which says whose part it is
            asked.append(pool.submit(contextvars.copy_context().run, _one, sweep, trial, stop))
        for future in as_completed(asked):
            ended = future.result()
            bad += [] if ended.outcome == FINISHED else [ended.trial.name]
            tell(ended)
    if bad:
        return Failed(message=f"{len(bad)} of {len(trials)} runs are not finished: {', '.join(sorted(bad))}")
    return Completed(message=f"all {len(trials)} runs are finished")


def _one(sweep: Sweep, trial: Trial, stop: threading.Event) -> Ended:
    if stop.is_set():
        return Ended(trial, NOT_RUN)
    try:
        state: State[Any] = wsss(
            targets=list(trial.to),
            overrides=trial.overrides,
            revision=sweep.revision,
            name=trial.name,
            jobs=1,
            return_state=True,
        )
        if state.is_completed():
            return Ended(trial, FINISHED)
        why = state.message or state.name or ""
    except Exception as error:  # of one run: the others go on
        why = message(error)
    return Ended(trial, CANCELLED if stop.is_set() else FAILED, why)
