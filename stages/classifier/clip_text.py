"""A classifier of texts: CLIP tells each class from the background by prompts; nothing is trained (CLIP-ES).

Lin et al. 2023, "CLIP is Also an Efficient Segmenter", github.com/linyq2117/CLIP-ES: a prompt a class, with
synonyms, and a list of what else a picture shows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.classifier import clip
from stages.classifier.params import Classifier, ClipText
from stages.classifier.training import fitted
from stages.common.training import samples


class Samples(samples.LabelledSamples):
    """What the sheet of inputs shows: each picture whole, as those of val are judged."""

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        return torch.from_numpy(fitted(self._read(index)[0], self.params)), self.targets[index]


def network(params: Classifier, classes: Sequence[str]) -> tuple[clip.ClipNet, dict[str, Any]]:
    """CLIP with the texts of the `classes` (the background first), and what config.json says of them."""
    import open_clip

    assert params.clip_text is not None
    texts, ground = prompts(params.clip_text, classes[1:])
    torch.manual_seed(params.seed)  # of weights: none
    model = clip.create(params.encoder)
    tokenizer = open_clip.get_tokenizer(params.encoder.name.removeprefix(clip.PREFIX))
    of_texts, of_ground = (clip.text_vectors(model, tokenizer, rows) for rows in (texts, ground))
    found = clip.ClipNet(model.visual, of_texts, of_ground, float(model.logit_scale.detach().exp()))
    return found.eval(), {"prompts": texts, "background": ground}


def prompts(options: ClipText, classes: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """The prompts of each class and of each thing of the background: every template with every name.

    ValueError for a name of no class.
    """
    if unknown := sorted(options.names.keys() - set(classes)):
        raise ValueError(
            f"params.yaml: classifier.clip_text.names: no class {', '.join(unknown)} in the data set; there "
            f"are {', '.join(classes)}"
        )

    def filled(names: list[str]) -> list[str]:
        return [template.replace("{}", name) for template in options.templates for name in names]

    texts = [filled(options.names.get(name, [name.replace("_", " ")])) for name in classes]
    return texts, [filled([name]) for name in options.background]
