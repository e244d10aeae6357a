"""Strategies of two networks on two devices, which are two processes on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TRAINING = """
import os
import sys

import torch

from stages.common.training import learners
from tests.classifier import tiny
from tests.common.training.tiny import bytes_of

method = sys.argv[1]
# means over pictures alone: then two shares of a batch give what the whole of it does
picture = {"puzzle": {"weight": 0.0, "ramp": 0.5}, "oc_cse": {"weight": [0.3, 1.0], "normalise": "picture"}}
own = {**picture, "lr_multiple": 0.3, "leak": True} if method == "p_noc" else {"block": 1}
chosen = tiny.params(method, own, batch=4)
frozen = chosen.encoder.model_copy(update={"batch_norm": "frozen"})
chosen = chosen.model_copy(update={"encoder": frozen} if method == "p_noc" else {})
end = learners.Learners.end


def told(self):
    end(self)
    torch.save(bytes_of(self.strategy), f"all{os.environ.get('LOCAL_RANK', 0)}.pt")


learners.Learners.end = told
tiny.trained(chosen)
"""
ROOT = Path(__file__).parents[2]


def trained(folder: Path, method: str, devices: int) -> list[dict[str, torch.Tensor]]:
    """The tensors of all networks, by rank."""
    folder.mkdir()
    (folder / "train.py").write_text(TRAINING)
    env = {"WSSS_DEVICE": "cpu", "WSSS_DEVICES": str(devices), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "train.py", method]
    subprocess.run(command, cwd=folder, env={**os.environ, **env}, check=True, timeout=120)
    return [torch.load(file) for file in sorted(folder.glob("all*.pt"))]


@pytest.mark.storm
def test_p_noc_trains_on_two_devices_what_it_trains_on_one(tmp_path):
    """Of batch norm that is frozen, and losses that are means over pictures."""
    (alone,), both = (trained(tmp_path / f"of{devices}", "p_noc", devices) for devices in (1, 2))
    assert len(both) == 2
    for name, tensor in alone.items():
        assert torch.equal(both[0][name], both[1][name]), name
        if tensor.is_floating_point():
            torch.testing.assert_close(both[0][name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.storm
def test_both_devices_have_eader_s_networks_in_the_end(tmp_path):
    """Its losses are means over the pairs of each share, of which one may have none."""
    both = trained(tmp_path / "of2", "eader", 2)
    assert len(both) == 2
    assert all(torch.equal(both[1][name], tensor) for name, tensor in both[0].items())
