"""Parameters of the step `dataset`."""

from typing import Annotated, Literal

from pydantic import Field

from stages.common.annotations_params import Kind
from stages.common.params import Positive, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Dataset(Section):
    source: Literal["voc", "folder", "coco"]
    name: Name  # the folder or link data/raw/NAME
    train: Name  # split: ImageSets/Segmentation/TRAIN.txt, or the value in the CSV
    val: Name
    truth: Literal["required", "available", "none"]  # masks: of every picture, where there, unused
    masks: Literal["SegmentationClass", "SegmentationClassAug"]  # voc only
    bad_pictures: Literal["fail", "skip"]
    max_megapixels: Positive
    annotations: Kind  # what people drew on the pictures of train, beside their labels
