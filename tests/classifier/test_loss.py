import math

import torch

from stages.classifier.loss import soft_margin


def test_the_loss_is_the_mean_of_the_binary_cross_entropies():
    scores, targets = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    wanted = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    assert math.isclose(float(soft_margin(scores, targets)), wanted, rel_tol=1e-6)


def test_smoothed_targets_are_met_best_at_plus_and_minus_ln_19():
    """DAVID: a = 0.1; the sigmoid of +-ln 19 is 0.95 and 0.05, the targets (1 - a) y + a / 2."""
    scores = torch.tensor([[math.log(19), -math.log(19)]], requires_grad=True)
    soft_margin(scores, torch.tensor([[1.0, 0.0]]), 0.1).backward()
    torch.testing.assert_close(scores.grad, torch.zeros(1, 2), atol=1e-7, rtol=0)
    scores = torch.tensor([[3.5, -2.5]], requires_grad=True)
    soft_margin(scores, torch.tensor([[1.0, 0.0]]), 0.1).backward()
    assert scores.grad[0, 0] > 0.001 and scores.grad[0, 1] > 0.001
