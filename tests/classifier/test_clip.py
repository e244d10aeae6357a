"""CLIP as a classifier against open_clip itself."""

import hashlib

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from stages.classifier import clip
from stages.common.params import check
from stages.common.training.params import Encoder
from tests.classifier import tiny_clip


@pytest.fixture(autouse=True, scope="module")
def _known(tmp_path_factory):
    tiny_clip.install(tmp_path_factory.mktemp("clip"))


def encoder(**changes) -> Encoder:
    return check(Encoder, {**tiny_clip.ENCODER, **changes}, "test")


def net(model) -> clip.ClipNet:
    torch.manual_seed(1)
    texts, ground = (F.normalize(torch.randn(n, 12), dim=1) for n in (3, 2))
    return clip.ClipNet(model.visual, texts, ground, 20.0).eval()


@torch.no_grad()
def test_an_images_vector_is_open_clips_at_the_size_that_it_was_made_for():
    model = tiny_clip.model()
    pictures = torch.randn(2, 3, 32, 32)
    vision = clip.Vision(model.visual)
    tokens, grid = vision.before_last(pictures)
    assert grid == (4, 4)
    torch.testing.assert_close(
        vision.after(tokens, vision.normed(tokens)), model.encode_image(pictures, normalize=True)
    )


@torch.no_grad()
def test_a_score_is_the_logit_of_its_class_among_the_background_and_itself():
    model = tiny_clip.model()
    made, pictures = net(model), torch.randn(2, 3, 32, 32)
    vectors = model.encode_image(pictures, normalize=True)
    for row, scores in zip(vectors, made(pictures), strict=True):
        for c in range(3):
            among = torch.stack([made.head.weight[c].flatten(), *made.ground])
            share = (20 * among @ row).softmax(0)[0]
            assert torch.sigmoid(scores[c]).item() == pytest.approx(share.item(), rel=1e-4)


def test_position_embeddings_at_their_own_grid_stay_as_they_are_and_others_keep_the_class_token():
    embedding = torch.randn(1 + 12, 5)
    assert clip.resized(embedding, (3, 4), (3, 4)) is embedding
    larger = clip.resized(embedding, (3, 4), (6, 8))
    assert larger.shape == (49, 5) and torch.equal(larger[0], embedding[0])
    flat = torch.cat([embedding[:1], torch.full((12, 5), 0.25)])
    torch.testing.assert_close(clip.resized(flat, (3, 4), (5, 2))[1:], torch.full((10, 5), 0.25))
    rows = torch.arange(3.0).repeat_interleave(4)[:, None].expand(12, 5)
    found = clip.resized(torch.cat([embedding[:1], rows]), (3, 4), (3, 8))[
        1:
    ]  # what is one along a row stays so
    torch.testing.assert_close(found, torch.arange(3.0).repeat_interleave(8)[:, None].expand(24, 5))


@torch.no_grad()
def test_pictures_of_any_size_are_filled_up_to_whole_patches():
    made = net(tiny_clip.model())
    pictures = torch.randn(1, 3, 30, 41)
    assert made.features(pictures).shape == (1, 24, 4, 6)
    filled = F.pad(pictures, (0, 7, 0, 2))
    torch.testing.assert_close(made(pictures), made(filled))


@torch.no_grad()
def test_the_features_are_the_tokens_by_row_and_column():
    """A patch changes the tokens most where it lies: here of a tower whose only block is the last."""
    made = net(tiny_clip.model())
    made.encoder.tower.transformer.resblocks = made.encoder.tower.transformer.resblocks[-1:]
    pictures = torch.zeros(2, 3, 32, 32)
    pictures[1, :, 8:16, 24:32] = 1
    moved = (made.features(pictures)[1] - made.features(pictures)[0]).abs().sum(0)
    assert torch.nonzero(moved > 1e-6).tolist() == [[1, 3]]


def test_text_vectors_are_the_mean_direction_of_their_prompts():
    model, tokenizer = tiny_clip.model(), open_clip.get_tokenizer(tiny_clip.NAME)
    prompts = [["a dog", "a hound"], ["sky"]]
    found = clip.text_vectors(model, tokenizer, prompts)
    with torch.no_grad():
        parts = model.encode_text(tokenizer(["a dog", "a hound", "sky"]), normalize=True)
    wanted = parts[:2].sum(0) / parts[:2].sum(0).norm()
    torch.testing.assert_close(found, torch.stack([wanted, parts[2]]))


def test_weights_of_a_file_are_loaded_whole_or_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSS_WEIGHTS", str(tmp_path))
    model = tiny_clip.model(3)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, tmp_path / "whole.safetensors")
    save_file({k: v for k, v in state.items() if k != "visual.proj"}, tmp_path / "part.safetensors")

    def named(name):
        sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        return encoder(weights={"source": "file", "name": name, "sha256": sha256})

    found = clip.create(named("whole.safetensors"))
    assert all(torch.equal(found.state_dict()[name], state[name]) for name in state)
    with pytest.raises(
        ValueError, match=r"part.safetensors do not fit clip-tiny-clip: 1 missing, e.g. visual.proj"
    ):
        clip.create(named("part.safetensors"))


def test_a_patch_of_another_side_and_a_tower_without_tokens_are_refused():
    with pytest.raises(ValueError, match="clip-tiny-clip has output_stride 8"):
        clip.create(encoder(output_stride=16))
    with pytest.raises(ValueError, match="no plain ViT"):
        clip.create(encoder(name="clip-RN50", output_stride=32))


def test_a_tower_that_is_computed_in_another_way_is_refused():
    """Blocks with norms of their own in the attention, and a pooling by attention."""
    made = {"image_size": 32, "patch_size": 8, "width": 24, "layers": 2, "heads": 3, "mlp_ratio": 2.0}
    tower = open_clip.transformer.VisionTransformer
    assert clip.plain(tower(**made, output_dim=12))
    assert not clip.plain(tower(**made, output_dim=12, qk_norm=True))
    assert not clip.plain(tower(**made, output_dim=12, pool_type="avg"))
    assert not clip.plain(tower(**made, output_dim=12, attentional_pool=True, attn_pooler_heads=3))


def test_without_open_clip_the_message_says_how_to_have_it(monkeypatch):
    monkeypatch.setattr(clip.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'needs open_clip: pip install .*\[clip\]"'):
        clip.check_name("clip-ViT-B-16")


def test_the_config_of_a_classifier_without_texts_is_refused():
    with pytest.raises(
        ValueError, match=r"no texts: seeds.method clip_text needs classifier.method clip_text"
    ):
        clip.rebuild({"classes": ["background", "a"], "encoder": tiny_clip.ENCODER})


def test_a_name_that_open_clip_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"clip-ViT-B-17.*did you mean clip-ViT-B-1?[0-9]"):
        clip.check_name("clip-ViT-B-17")


def test_a_saved_network_is_rebuilt_and_answers_the_same(tmp_path):
    from stages.common.networks import store

    made = net(tiny_clip.model())
    config = {
        "classes": ["background", "a", "b", "c"],
        "encoder": tiny_clip.ENCODER,
        "background": [["x"], ["y"]],
    }
    store.save_network(tmp_path / "net", made, config, [{"epoch": 0.0}])
    again = store.load_into(clip.rebuild(config), tmp_path / "net")
    pictures = torch.randn(1, 3, 40, 24)
    with torch.no_grad():
        torch.testing.assert_close(again(pictures), made(pictures))


@torch.no_grad()
def test_attention_is_that_of_its_blocks():
    """By a hook on open_clip's own pass: each block's queries and keys, from what it is given."""
    model, pictures, given = tiny_clip.model(), torch.randn(2, 3, 24, 32), []
    for block in model.visual.transformer.resblocks:
        block.register_forward_pre_hook(lambda _, tokens: given.append(tokens[0]))
    found, grid = clip.Vision(model.visual).attention(pictures, 2)
    mean = torch.zeros(2, 13, 13)
    for block, tokens in zip(model.visual.transformer.resblocks, given, strict=True):
        q, k, _ = F.linear(block.ln_1(tokens), block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, 2)
        q, k = (x.unflatten(2, (3, 8)).transpose(1, 2) for x in (q, k))
        mean += (q @ k.transpose(2, 3) / 8**0.5).softmax(3).mean(1) / 2
    patches = mean[:, 1:, 1:]
    assert grid == (3, 4) and found.std() > 1e-4
    torch.testing.assert_close(found, patches / patches.sum(2, keepdim=True), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.sum(2), torch.ones(2, 12))
