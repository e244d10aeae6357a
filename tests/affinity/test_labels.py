import torch

from stages.affinity.labels import grid_labels


def test_cell_takes_the_largest_known_class():
    labels = torch.full((1, 4, 5), 255)
    labels[0, :2, :2] = torch.tensor([[1, 1], [2, 255]])
    labels[0, :2, 2:4] = torch.tensor([[0, 0], [0, 3]])
    labels[0, 3, 4] = 2
    assert grid_labels(labels, 2, 4)[0].tolist() == [[1, 0, 255], [255, 255, 2]]
