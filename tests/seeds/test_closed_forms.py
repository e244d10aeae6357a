"""Before a pooled linear head no method runs a backward pass, and its maps are those of one."""

import pytest
import torch

from stages.seeds import cam, d_minmax_grad_cam, grad_cam, grad_cam_pp, minmax_cam, minmax_grad_cam, vgatt
from tests.seeds.tiny import classifier, pictures

CLASSES = torch.tensor([[0, 3, 1], [2, 1, 2]])
BOTH = [d_minmax_grad_cam, grad_cam, grad_cam_pp, minmax_grad_cam, vgatt]


@pytest.mark.parametrize("method", BOTH)
def test_the_closed_form_is_the_backward_pass_at_the_encoder_s_last_block(method):
    model, x = classifier(), pictures()
    wanted = method.attribution(model, x, CLASSES, "encoder.levels.4")
    found = method.attribution(model, x, CLASSES, "last")
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", [*BOTH, cam, minmax_cam])
def test_no_backward_pass_runs(monkeypatch, method):
    def refuse(*_, **__):
        raise AssertionError("a backward pass")

    model, x = classifier(), pictures()
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    found = method.attribution(model, x, CLASSES, "last")
    assert found.abs().max() > 0 and not found.requires_grad
    if method in BOTH:
        with pytest.raises(AssertionError, match="a backward pass"):
            method.attribution(model, x, CLASSES, "encoder.levels.4")
