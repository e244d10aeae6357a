"""Parameters of the step `ceiling`."""

from typing import Any, Literal

from pydantic import field_validator

from stages.common.params import Section
from stages.evaluation.params import Folder

Trained = Literal["segmenter", "only_true", "all_corrected"]
ORACLES = ("only_true", "all_corrected")  # they read labels of the recipe beside the masks


class Ceiling(Section):
    # What is trained, and the folder of data/ whose labels it corrects: nothing for `segmenter`, which learns
    # from the masks alone. Empty: the graph has no such stage.
    of: dict[Trained, Folder]

    @field_validator("of", mode="before")
    @classmethod
    def _says_what_is_read(cls, value: Any) -> Any:
        if isinstance(value, list):
            raise ValueError(
                "must say what each reads: {segmenter: nothing, only_true: pseudo_labels, all_corrected: "
                f"pseudo_labels}}, or a part of it; found {value}"
            )
        return value
