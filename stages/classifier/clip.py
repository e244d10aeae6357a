"""CLIP as a classifier: an image's vector against those of texts (Radford et al. 2021; CLIP-ES, 2023).

The network is open_clip's, and so are the names of its weights. Pictures may have any size: the position
embeddings are resized to its grid of patches.
"""

import difflib
import importlib.util
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stages.common.networks.attention import mean_attention
from stages.common.training.params import CLIP as PREFIX
from stages.common.training.params import Encoder


class Vision(nn.Module):
    """The image tower, cut before its last block: tokens [B, 1 + N, D], the class token first."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        self.output_stride: int = tower.patch_size[0]

    def before_last(self, pictures: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The tokens that the last block is given, and the grid (h, w) of the N patches."""
        tokens, grid = self.embedded(pictures)
        for block in self.tower.transformer.resblocks[:-1]:
            tokens = block(tokens)
        return tokens, grid

    def attention(self, pictures: Tensor, blocks: int) -> tuple[Tensor, tuple[int, int]]:
        """How the patches look at each other, [B, N, N], and their grid (h, w).

        It is the mean over the heads and over the last `blocks` blocks; rows sum to 1.
        """
        tokens, grid = self.embedded(pictures)
        found = mean_attention(self.tower.transformer.resblocks, tokens, blocks, attention_weights, 1)
        return found, grid

    def embedded(self, pictures: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The tokens that the first block is given, and the grid (h, w) of the N patches.

        What is missing to whole patches, at the right and below, is filled with 0, the mean colour.
        """
        tower, stride = self.tower, self.output_stride
        height, width = pictures.shape[2:]
        patches = tower.conv1(F.pad(pictures, (0, -width % stride, 0, -height % stride)))
        grid = (patches.shape[2], patches.shape[3])
        tokens = torch.cat(
            [
                tower.class_embedding.expand(len(patches), 1, -1).to(patches),
                patches.flatten(2).transpose(1, 2),
            ],
            1,
        )
        places = resized(tower.positional_embedding, tower.grid_size, grid).to(tokens)
        return tower.ln_pre(tokens + places), grid

    def after(self, tokens: Tensor, normed: Tensor) -> Tensor:
        """The image's vector [B, E], of length 1: the last block of `tokens`, whose norm gave `normed`."""
        block = self.tower.transformer.resblocks[-1]
        asked = normed[:, :1]  # nothing is read of the last block but its class token
        mixed = block.attn(asked, normed, normed, need_weights=False)[0]
        found = tokens[:, :1] + block.ls_1(mixed)
        found = found + block.ls_2(block.mlp(block.ln_2(found)))
        vector: Tensor = self.tower.ln_post(found[:, 0]) @ self.tower.proj
        return F.normalize(vector, dim=-1)

    def normed(self, tokens: Tensor) -> Tensor:
        """The last block's first norm of the tokens that it is given."""
        found: Tensor = self.tower.transformer.resblocks[-1].ln_1(tokens)
        return found


def attention_weights(block: Any, tokens: Tensor) -> Tensor:
    """The mean over the heads of a block's attention, [B, 1 + N, 1 + N], of the tokens before it."""
    normed = block.ln_1(tokens)
    found: Tensor = block.attn(normed, normed, normed, need_weights=True)[1]
    return found


class ClipNet(nn.Module):
    """Scores [B, C] of pictures [B, 3, H, W]: how much likelier each class's text is than the background's.

    `texts` [C, E] and `ground` [M, E] have length 1, `scale` is CLIP's, 100 in the published weights. A score
    is the logit of its class among the M texts of the background and itself, so its sigmoid is a probability.
    """

    def __init__(self, tower: Any, texts: Tensor, ground: Tensor, scale: float) -> None:
        super().__init__()
        self.encoder = Vision(tower)
        self.head = nn.Conv2d(texts.shape[1], len(texts), 1, bias=False)
        self.head.weight.data.copy_(texts[:, :, None, None])
        self.register_buffer("ground", ground)
        self.register_buffer("scale", torch.tensor(scale))

    def features(self, pictures: Tensor) -> Tensor:
        """The tokens of the patches before the last block, [B, D, h, w]."""
        tokens, (height, width) = self.encoder.before_last(pictures)
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (height, width))

    def logits(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Of images' vectors [B, E]: those of the classes [B, C] and of the background's texts [B, M]."""
        scale, texts = self.scale, self.head.weight.flatten(1)
        return scale * vectors @ texts.T, scale * vectors @ self.ground.T  # type: ignore[operator]

    def forward(self, pictures: Tensor) -> Tensor:
        tokens, _ = self.encoder.before_last(pictures)
        classes, ground = self.logits(self.encoder.after(tokens, self.encoder.normed(tokens)))
        return classes - ground.logsumexp(1, keepdim=True)


def resized(embedding: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Position embeddings [1 + h w, D] of the grid `old` for the grid `new`, bicubic; the first stays."""
    if old == new:
        return embedding
    first, grid = embedding[:1], embedding[1:].T.unflatten(1, old)[None]
    grid = F.interpolate(grid.float(), new, mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([first, grid[0].flatten(1).T.to(first)])


def check_name(name: str) -> None:
    """ValueError for an encoder that open_clip does not have, and where there is no open_clip."""
    if importlib.util.find_spec("open_clip") is None:
        raise ValueError(
            f'encoder.name {name!r} needs open_clip: pip install -c constraints.txt -e ".[clip]"'
        )
    import open_clip

    own, known = name.removeprefix(PREFIX), open_clip.list_models()
    if own not in known:
        near = ", ".join(PREFIX + one for one in difflib.get_close_matches(own, known, n=3))
        raise ValueError(
            f"encoder.name {name!r} is unknown to open_clip" + (f"; did you mean {near}?" if near else "")
        )


def create(params: Encoder, with_weights: bool = True) -> Any:
    """open_clip's model of the encoder's name, both towers. ValueError for one that this cannot read.

    With weights: the named file of $WSSS_WEIGHTS (open_clip_model.safetensors, or a state dict), those of the
    library (`openai`, `laion2b_s34b_b88k`, fetched at the first run), or none: random ones.
    """
    import open_clip

    name, weights = params.name.removeprefix(PREFIX), params.weights
    tag = weights.name if with_weights and weights.source == "library" else None
    if tag is None:
        logging.disable(logging.WARNING)  # it warns of random weights, which `load` may replace
    try:
        model = open_clip.create_model(name, pretrained=tag, pretrained_text=False)
    except RuntimeError as error:
        raise ValueError(f"encoder {params.name}, weights {tag}: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
    tower = model.visual
    if not plain(tower):
        raise ValueError(f"encoder {params.name}: its image tower is no plain ViT with a class token")
    if tower.patch_size != (params.output_stride,) * 2:
        raise ValueError(
            f"encoder {params.name} has output_stride {tower.patch_size[0]}, the side of its patches"
        )
    if with_weights and weights.source == "file":
        load(model, params)
    return model.eval()


def plain(tower: Any) -> bool:
    """Whether `Vision` computes what the tower does."""
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    if not isinstance(tower, VisionTransformer) or tower.pool_type != "tok" or tower.attn_pool is not None:
        return False
    return tower.proj is not None and isinstance(tower.transformer.resblocks[-1], ResidualAttentionBlock)


def load(model: nn.Module, params: Encoder) -> None:
    """The tensors of the named file; each of the model's must be in it."""
    from stages.common.networks import encoders, store

    state, wanted = encoders.read_weights(params.weights.name, params.weights.sha256), model.state_dict()
    if misfit := store.misfits({name: state[name] for name in wanted if name in state}, wanted):
        raise ValueError(f"weights {params.weights.name} do not fit {params.name}: {misfit}")
    if bad := store.not_finite(state):
        raise ValueError(f"weights {params.weights.name}: {bad} is not finite")
    model.load_state_dict({name: state[name] for name in wanted})


def text_vectors(model: Any, tokenizer: Callable[[list[str]], Tensor], prompts: list[list[str]]) -> Tensor:
    """A vector of length 1 for each list of prompts, [len(prompts), E]: the mean of its prompts' own."""
    vectors = []
    with torch.inference_mode():
        for texts in prompts:
            found = F.normalize(model.encode_text(tokenizer(texts)), dim=-1)
            vectors.append(F.normalize(found.mean(0), dim=0))
    return torch.stack(vectors)


def rebuild(config: dict[str, Any]) -> ClipNet:
    """The network of a saved config.json, without weights (they are loaded next).

    ValueError for that of a classifier that was trained on labels.
    """
    if "background" not in config:
        raise ValueError(
            "data/classifier has no texts: seeds.method clip_text needs classifier.method clip_text"
        )
    params = Encoder.model_validate(config["encoder"])
    with torch.random.fork_rng(devices=[]):
        model = create(params, with_weights=False)
    size, count = model.visual.proj.shape[1], len(config["classes"]) - 1
    return ClipNet(model.visual, torch.zeros(count, size), torch.zeros(len(config["background"]), size), 0.0)
