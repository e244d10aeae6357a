"""Plain vision transformers of timm (ViT, DeiT, DINO) as encoders: their patch tokens are feature maps."""

import itertools
import math
from typing import Any

import timm
import torch
from timm.layers import Attention, PatchEmbed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.attention import mean_attention
from stages.common.training import params as training_params

LEVELS = 4  # after a quarter, a half, three quarters and all of the blocks
# The demo's: trained from nothing in minutes. Without a class token, of which nothing would be asked.
SMALL = {"img_size": 128, "patch_size": 8, "embed_dim": 96, "depth": 4, "num_heads": 3,
         "class_token": False, "global_pool": ""}  # fmt: skip


class TokenMap(nn.Module):
    """Patch tokens [B, h * w, D] as a feature map [B, D, h, w]: a layer that has a name."""

    def forward(self, tokens: Tensor, cells: tuple[int, int]) -> Tensor:
        return tokens.transpose(1, 2).unflatten(2, cells)


class PlainVit(nn.Module):
    """The picture, and the patch tokens of four depths, all at the patches' stride.

    Pictures [B, 3, H, W] of any size: the last row and column of patches are filled with 0, the mean colour,
    where the picture ends in them, so a map has ceil(H / patch) rows; position embeddings are resized (timm's
    bicubic resampling) to as many. Class, distillation and register tokens go through the blocks and are left
    out of the maps. The last map has passed the final norm.
    """

    def __init__(self, model: VisionTransformer) -> None:
        super().__init__()
        self.model = model
        self.levels = nn.ModuleList(TokenMap() for _ in range(LEVELS))
        self.output_stride: int = model.patch_embed.patch_size[0]
        self.out_channels = (3, *[model.embed_dim] * LEVELS)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        tokens, cells = self.embedded(pictures)
        found = [pictures]
        for level, blocks in zip(self.levels, self.parts(), strict=True):
            for block in blocks:
                tokens = block(tokens)
            tokens = self.normed(tokens) if level is self.levels[-1] else tokens
            others, patches = tokens.split([self.others, tokens.shape[1] - self.others], 1)
            found.append(level(patches, cells))
            tokens = torch.cat([others, found[-1].flatten(2).transpose(1, 2)], 1)  # as the named layer has it
        return found

    @property
    def others(self) -> int:
        """How many tokens are of no patch; they stand first."""
        count: int = self.model.num_prefix_tokens
        return count

    def parts(self) -> list[list[nn.Module]]:
        """The blocks before each level."""
        blocks = list(self.model.blocks)
        ends = [math.ceil(len(blocks) * part / LEVELS) for part in range(LEVELS + 1)]
        return [blocks[start:end] for start, end in itertools.pairwise(ends)]

    def embedded(self, pictures: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The tokens [B, N, D] that go into the first block, and the rows and columns of patches."""
        height, width = pictures.shape[2:]
        side = self.output_stride
        padded = F.pad(pictures, (0, -width % side, 0, -height % side))
        tokens = self.model._pos_embed(self.model.patch_embed(padded))
        return self.model.norm_pre(tokens), (padded.shape[2] // side, padded.shape[3] // side)

    def normed(self, tokens: Tensor) -> Tensor:
        """The final norm; some networks of timm have it behind their pooling (fc_norm), here it is before."""
        found: Tensor = self.model.fc_norm(self.model.norm(tokens))
        return found

    def attention(self, pictures: Tensor, blocks: int) -> tuple[Tensor, tuple[int, int]]:
        """How the patches look at each other, [B, n, n] for n = rows * columns, and rows and columns.

        It is the mean over the heads and over the last `blocks` blocks; rows sum to 1.
        """
        tokens, cells = self.embedded(pictures)
        return mean_attention(self.model.blocks, tokens, blocks, attention_weights, self.others), cells


def attention_weights(block: Any, tokens: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)), the mean over the heads [B, N, N], of the tokens [B, N, D] before a `Block`.

    timm's fused kernels do not give it out, so it is computed from the block's own layers.
    """
    own = block.attn
    both = own.qkv(block.norm1(tokens)).unflatten(2, (3, own.num_heads, own.head_dim)).permute(2, 0, 3, 1, 4)
    q, k = own.q_norm(both[0]), own.k_norm(both[1])
    found: Tensor = (q * own.scale @ k.transpose(2, 3)).softmax(3)
    return found.mean(1)


def build(params: training_params.Encoder) -> PlainVit:
    """The network of that name. ValueError for one whose blocks are not the plain ones."""
    pretrained = params.weights.source == "library"
    name, options = params.name.removeprefix("tu-"), dict[str, Any]()
    if params.name == training_params.SMALL_VIT:
        name, options = "vit_tiny_patch16_224", SMALL
        if pretrained:
            raise ValueError("the library has no weights of it")
    model: Any = timm.create_model(name, pretrained, num_classes=0, dynamic_img_size=True, **options)
    if problem := unlike(model):
        raise ValueError(f"encoder {params.name} is no plain vision transformer: {problem}")
    model.attn_pool = None  # of networks that pool by attention: nothing here runs it
    return PlainVit(model)


def unlike(model: Any) -> str:
    """What of a network of timm is not as `PlainVit` needs it; "" if nothing is."""
    if not isinstance(model, VisionTransformer):
        return f"it is a {type(model).__name__}"
    parts: list[tuple[Any, type]] = [(model.patch_embed, PatchEmbed)]
    for block in model.blocks:
        parts += [(block, Block), (getattr(block, "attn", None), Attention)]
    return next((f"it has {type(part).__name__}" for part, kind in parts if type(part) is not kind), "")
