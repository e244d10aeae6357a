"""Where a stage computes: of the environment, never of params.yaml."""

import os

import torch

from stages.common.training.params import devices_asked, under_torchrun


def device() -> torch.device:
    """WSSS_DEVICE (cpu, cuda, cuda:1), or a GPU if there is one. ValueError for one that is not there."""
    asked = os.environ.get("WSSS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(asked)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"WSSS_DEVICE={asked}: {reason}; unset it, or use cpu or cuda") from None
    return place


def device_count() -> int:
    """WSSS_DEVICES: on how many devices one training runs, 1 if not set. ValueError for what cannot be.

    Under torchrun, on how many of all hosts: it has one process for each.
    """
    count, place = devices_asked(), device()
    if under_torchrun():
        return count
    if count > 1 and place.type == "cuda":
        if place.index is not None:
            raise ValueError(f"WSSS_DEVICE={place} is one GPU: WSSS_DEVICES={count} needs WSSS_DEVICE=cuda")
        if count > torch.cuda.device_count():
            raise ValueError(f"WSSS_DEVICES={count}: this machine shows {torch.cuda.device_count()} GPUs")
    return count


def training_place(alone: bool = False) -> str:
    """Where a training computes, for its key: other devices, and other numbers of them, other weights."""
    count = 1 if alone else device_count()
    return f"{device()} x {count}" if count > 1 else str(device())
