"""The steps of the recipe, one folder each; `python -m stages.<step>` runs one."""

from stages.common import torchvision_ops

torchvision_ops.install()
