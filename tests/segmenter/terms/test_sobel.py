"""The Sobel term, by another library's filter and by loops."""

import cv2
import numpy as np
import torch

from stages.segmenter.loss_params import Sobel
from stages.segmenter.structure import onehot
from stages.segmenter.terms import View
from stages.segmenter.terms.sobel import loss, responses

OPTIONS = Sobel(weight=4)


def view(scores, labels, done=0.5):
    return View(scores, labels, torch.zeros(len(labels), 3, *labels.shape[1:]), done, None, labels >= 0)


def test_responses_are_opencv_s():
    maps = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    found = responses(maps).numpy()
    for b, c in np.ndindex(2, 3):
        for at, (dx, dy) in enumerate([(1, 0), (0, 1)]):
            wanted = cv2.Sobel(maps[b, c].numpy(), cv2.CV_32F, dx, dy, borderType=cv2.BORDER_REPLICATE)
            np.testing.assert_allclose(found[b, 2 * c + at], wanted, atol=1e-5)


def test_by_loops_over_the_sure_pixels():
    torch.manual_seed(0)
    scores, labels = torch.randn(1, 3, 7, 7), torch.randint(0, 3, (1, 7, 7))
    labels[0, 0, 0] = 255
    kernel = np.outer([1, 2, 1], [-1, 0, 1])
    p, y = scores.softmax(1)[0].numpy(), onehot(labels, 3)[0].numpy()
    parts = []
    for i, j in np.ndindex(7, 7):
        if i > 1 or j > 1:
            for c in range(3):
                for k in (kernel, kernel.T):
                    window = np.pad(p[c] - y[c], 1, "edge")[i : i + 3, j : j + 3]
                    parts.append(abs((window * k).sum()))
    found = loss(OPTIONS, view(scores, labels))
    assert list(found) == ["sobel"]
    np.testing.assert_allclose(found["sobel"], 4 * np.mean(parts), rtol=1e-5)


def test_right_results_cost_nothing():
    labels = torch.randint(0, 3, (2, 7, 7), generator=torch.Generator().manual_seed(0))
    labels[0, :2] = 255
    scores = (200 * onehot(labels, 3)).requires_grad_()
    found = loss(OPTIONS, view(scores, labels))["sobel"]
    found.backward()
    assert found == 0 and not scores.grad.any()


def test_nothing_under_unknown_pixels_matters():
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 3, 7, 7, requires_grad=True), torch.randint(0, 3, (2, 7, 7))
    labels[:, 3, 2:4] = 255
    first = loss(OPTIONS, view(scores, labels))["sobel"]
    first.backward()
    under = (labels == 255)[:, None].expand_as(scores)
    assert not scores.grad[under].any() and scores.grad[~under].any()
    changed = torch.where(under, 9 * torch.randn(scores.shape), scores.detach())
    torch.testing.assert_close(loss(OPTIONS, view(changed, labels))["sobel"], first.detach())


def test_a_batch_of_unknown_pixels():
    scores = torch.randn(1, 3, 7, 7, requires_grad=True)
    found = loss(OPTIONS, view(scores, torch.full((1, 7, 7), 255)))["sobel"]
    found.backward()
    assert found == 0 and not scores.grad.any()


def test_gradients():
    torch.manual_seed(0)
    maps = torch.rand(1, 2, 7, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(responses, maps)
    labels = torch.randint(0, 2, (1, 7, 7))
    scores, line = torch.randn(1, 2, 7, 7, requires_grad=True), torch.randn(1, 2, 7, 7)
    loss(OPTIONS, view(scores, labels))["sobel"].backward()
    with torch.no_grad():
        high, low = (loss(OPTIONS, view(scores + s * line, labels))["sobel"] for s in (1e-3, -1e-3))
    torch.testing.assert_close((scores.grad * line).sum(), (high - low) / 2e-3, rtol=2e-2, atol=2e-3)


def test_sobel_is_float32_whatever_the_scores_are():
    rough = torch.randn(1, 3, 7, 7).bfloat16()
    labels = torch.zeros(1, 7, 7, dtype=torch.int64)
    found = loss(OPTIONS, view(rough, labels))["sobel"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(OPTIONS, view(rough.float(), labels))["sobel"])
