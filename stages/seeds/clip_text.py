"""Seeds from texts (CLIP-ES): Grad-CAM of a softmax over the picture's classes and the background's texts.

Lin et al. 2023, Eq. 1-3: at the input of the attention of CLIP's last block. By the softmax counts what tells
a class from the others and from the background, and not what they share.
"""

import torch
from torch import Tensor

from stages.classifier.clip import ClipNet
from stages.classifier.clip import rebuild as rebuild
from stages.common.params import Empty
from stages.seeds.layers import real


def attribution(model: ClipNet, pictures: Tensor, classes: Tensor, layer: str, options: Empty) -> Tensor:
    """Signed maps [B, K, h, w] of the classes [B, K] (0-based), h x w patches."""
    with torch.no_grad():
        tokens, grid = model.encoder.before_last(pictures)
        normed = model.encoder.normed(tokens)
    values = normed.detach().requires_grad_()
    with torch.enable_grad():
        shares = probabilities(*model.logits(model.encoder.after(tokens, values)), classes)
        gradients = [
            torch.autograd.grad(shares[:, k].sum(), values, retain_graph=k + 1 < classes.shape[1])[0]
            for k in range(classes.shape[1])
        ]
    weights = torch.stack([one[:, 1:].mean(1) for one in gradients], 1)  # of each channel, over the patches
    maps = torch.einsum("bkd,bnd->bkn", weights.float(), normed[:, 1:].float())
    return maps.unflatten(2, grid)


def probabilities(scores: Tensor, ground: Tensor, classes: Tensor) -> Tensor:
    """The softmax [B, K] of the classes [B, K] among each other and the background; a repeat counts once.

    `scores` [B, C] and `ground` [B, M] are logits of all classes and of the background's texts.
    """
    own = scores.gather(1, classes)
    among = torch.cat([own.masked_fill(~real(classes), -torch.inf), ground], 1)
    return (own - among.logsumexp(1, keepdim=True)).exp()
