"""What CLIP is asked: prompts by hand."""

import pytest

from stages.classifier import clip_text
from stages.classifier.params import ClipText
from stages.common.params import ParameterError, check

OPTIONS = {
    "templates": ["a photo of {}.", "{}"], "names": {"person": ["people", "a human"]},
    "background": ["sky", "road"],
}  # fmt: skip


def options(**changes) -> ClipText:
    return check(ClipText, {**OPTIONS, **changes}, "test")


def test_each_template_takes_each_name_of_a_class_and_of_the_background():
    texts, ground = clip_text.prompts(options(), ["person", "potted_plant"])
    assert texts == [
        ["a photo of people.", "a photo of a human.", "people", "a human"],
        ["a photo of potted plant.", "potted plant"],
    ]
    assert ground == [["a photo of sky.", "sky"], ["a photo of road.", "road"]]


def test_a_name_of_no_class_is_refused():
    with pytest.raises(
        ValueError, match=r"clip_text.names: no class person in the data set; there are cat, dog"
    ):
        clip_text.prompts(options(), ["cat", "dog"])


@pytest.mark.parametrize("text", ["a photo", "{} and {}"])
def test_a_template_without_one_place_for_a_name_is_refused(text):
    with pytest.raises(ParameterError, match=r"each must have one {}, where a name goes"):
        options(templates=[text])
