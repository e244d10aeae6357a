"""Maps are compared where nothing unknown is near."""

import torch

from stages.segmenter.structure import near_unknown, onehot, unlike


def test_onehot_is_zero_where_nothing_is_known():
    labels = torch.tensor([[[0, 2], [255, 1]]])
    found = onehot(labels, 3)
    assert found.dtype == torch.float32
    assert found[0, :, 0, 0].tolist() == [1, 0, 0] and found[0, :, 0, 1].tolist() == [0, 0, 1]
    assert found[0, :, 1, 0].tolist() == [0, 0, 0] and found[0, :, 1, 1].tolist() == [0, 1, 0]


def test_near_is_a_square():
    labels = torch.zeros(1, 7, 7, dtype=torch.int64)
    labels[0, 1, 2] = 255
    for reach in (0, 1, 2):
        wanted = torch.zeros(1, 7, 7, dtype=torch.bool)
        wanted[0, max(0, 1 - reach) : 2 + reach, 2 - reach : 3 + reach] = True
        assert torch.equal(near_unknown(labels, reach), wanted)


def test_the_mean_is_over_channels_and_sure_pixels():
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    labels[0, :, 0] = 255
    difference = torch.randn(2, 3, 4, 4)
    wanted = torch.cat([difference[0, :, :, 2:].flatten(), difference[1].flatten()]).abs().mean()
    torch.testing.assert_close(unlike(difference, labels, 1), wanted)
    assert unlike(difference, torch.full_like(labels, 255), 1) == 0
