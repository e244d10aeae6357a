"""The loop: which networks a turn moves, what is watched, and what is told."""

import pytest
import torch

from stages.common.training import checkpoint
from tests.common.training.tiny import ENCODER, Net, Noise, params, train


def test_what_watches_an_epoch_adds_to_its_row_and_changes_no_weight(monkeypatch):
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
    plain, watched, resumed = Net(), Net(), Net()
    rows = train(plain, Noise(), params(), "plain")

    def watch(model):
        assert not model.training
        with torch.inference_mode():
            return {"val": float(model(torch.ones(3, 5)).sum())}

    found = train(watched, Noise(), params(), "watched", watch)
    assert [{k: v for k, v in row.items() if k != "val"} for row in found] == rows
    pairs = zip(plain.state_dict().values(), watched.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    with pytest.raises(KeyboardInterrupt):
        train(Net(), Noise(30), params(), "killed", watch)
    assert train(resumed, Noise(), params(), "killed", watch) == found


def test_frozen_parts_do_not_change():
    net = Net()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    train(net, Noise(), params(encoder={**ENCODER, "freeze": ["0"], "batch_norm": "frozen"}), "k")
    after = net.state_dict()
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed == {"head.weight", "head.bias"}


def test_unknown_frozen_block_names_the_nearest():
    chosen = params(encoder={**ENCODER, "freeze": ["O"]})
    with pytest.raises(ValueError, match="no block 'O'"):
        train(Net(), Noise(), chosen, "key")
