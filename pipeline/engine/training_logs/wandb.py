"""Runs of Weights & Biases: one per training, by epoch. Where to, its own variables say, as WANDB_MODE."""

import os
from collections.abc import Mapping

import wandb

from pipeline.engine.training_logs.curves import Curve

PROJECT = "wsss"  # where WANDB_PROJECT names none
PATIENCE = 30.0  # seconds for a service that does not answer, when a run begins and when it ends
ALONE = ("offline", "dryrun", "disabled")  # modes that send nothing


def log_in() -> None:
    """ValueError where it would send and has no key. No look at the service: a run goes on without it."""
    if wandb.setup().settings.mode in ALONE:
        return
    said = "W&B has no key"
    try:
        if wandb.login(verify=False, prompt=False):
            return
    except Exception as error:  # of a key that cannot be one
        said = " ".join(str(error).split()).rstrip(".")
    hint = "`wandb login`, or WANDB_MODE=offline, which keeps all here for `wandb sync`"
    raise ValueError(f"WSSS_LOGS=wandb: {said}: {hint}")


class Writer:
    """A run of the curve's id, named as its folder, in the group of the recipe's run."""

    def __init__(self, curve: Curve, first: int) -> None:
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(curve.folder),
            id=curve.id,
            name=curve.name,
            group=curve.run,
            job_type=curve.stage,
            resume="allow",
            reinit="create_new",  # stages train at the same time
            settings=wandb.Settings(
                console="off", silent=True, disable_git=True, disable_code=True, x_disable_stats=True,
                init_timeout=PATIENCE, finish_timeout=PATIENCE,
            ),
        )  # fmt: skip
        self.run.define_metric("*", step_metric="epoch")

    def write(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self.run.log({**numbers, "epoch": epoch}, step=epoch)

    def close(self) -> None:
        self.run.finish()
