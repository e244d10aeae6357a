"""Stages on other machines through Prefect: a flow run per stage, in the work pool that its `meta` names.

The coordinator's flow sends a stage with `elsewhere`; a worker of the pool runs the flow `wsss-stage` in
its own clone. What travels, and where the result goes, is in remote.py.
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.states import Cancelling, Failed

from pipeline.engine.stage import Run
from pipeline.flows import remote
from pipeline.flows.ending import die_with_worker, uninterrupted
from pipeline.flows.tasks import Live, state
from pipeline.memory.graph import Stage
from pipeline.project.root import find_root

POLL = 2.0  # seconds between looks at a stage that runs elsewhere


def _run_name() -> str:
    import prefect.runtime

    work: dict[str, Any] = prefect.runtime.flow_run.parameters["work"]
    return f"{work['stage']} for {work['run']}"


@flow(name="wsss-stage", flow_run_name=_run_name, persist_result=False)
def wsss_stage(work: dict[str, Any]) -> State[Any]:
    """Run one stage for a coordinator; its flow fills `work`.

    Args:
        work: Stage, commit, text of params.yaml and dvc.lock, name of the run; see remote.Work.
    """
    die_with_worker()
    listener, stop = Live(), threading.Event()
    try:
        return uninterrupted(lambda: state(remote.do(find_root(), remote.Work(**work), listener, stop)), stop)
    except (ValueError, FileNotFoundError) as error:
        return Failed(message=str(error))
    finally:
        listener.close()


def elsewhere(engine: Run, pools: Collection[str]) -> Callable[[Stage], bool]:
    """What `Run.elsewhere` calls: sends a stage to its pool, if that is one of `pools`, and waits for it."""

    def send(stage: Stage) -> bool:
        pool = remote.pool(stage)
        if pool not in pools:
            return False
        with engine.dvc:
            remote.offer_inputs(engine.root, stage.name)
            work = remote.describe(engine.root, stage.name, engine.name, stage.name in engine.force)
        engine.listener.line(stage.name, f"sent to the work pool {pool}")
        run = run_deployment(f"wsss-stage/{pool}", parameters={"work": asdict(work)}, timeout=0)
        assert isinstance(run, FlowRun)  # in a thread that has no event loop
        final = _wait(run.id, engine)
        if not final.is_completed():
            raise ValueError(f"on the work pool {pool}: {final.name}, {final.message or 'no message'}")
        with engine.dvc:
            remote.bring(engine.root, stage.name)
        return True

    return send


def _wait(run: UUID, engine: Run) -> State[Any]:
    """The final state of a run elsewhere, which is cancelled with the run that sent it."""
    asked = False
    with get_client(sync_client=True) as client:
        while True:
            now = client.read_flow_run(run).state
            if now is not None and now.is_final():
                return now
            if engine.stopped() and not asked:
                client.set_flow_run_state(run, Cancelling(), force=True)
                asked = True
            time.sleep(POLL)
