"""Where a stage computes: of the environment, never of params.yaml."""

import os

import torch


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
