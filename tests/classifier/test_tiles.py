import torch

from stages.classifier.tiles import merge, split


def test_merging_undoes_splitting():
    x = torch.randn(3, 2, 6, 10)
    assert torch.equal(merge(split(x)), x)


def test_quarters_come_one_after_another_and_not_mixed():
    """Row by row of the picture, all pictures of a quarter together."""
    x = torch.arange(32.0).reshape(2, 1, 4, 4)
    quarters = split(x)
    assert quarters.shape == (8, 1, 2, 2)
    assert quarters[:, 0, 0, 0].tolist() == [0, 16, 2, 18, 8, 24, 10, 26]
