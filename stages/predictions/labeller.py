"""The trained segmenter on pictures of any size."""

from dataclasses import dataclass

from stages.predictions.any_labeller import AnyLabeller
from stages.segmenter.trained import Trained, load_trained


@dataclass(frozen=True)
class Labeller(AnyLabeller):
    """The segmenter of `folder`."""

    def trained(self) -> Trained:
        return load_trained(self.folder, self.place)
