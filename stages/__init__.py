"""The steps of the recipe, one folder each; `python -m stages.<step>` runs one."""

import sys

from stages.common import processes
from stages.common.networks import torchvision_ops

# While Python looks for the module that -m names, which is a step. Here and not in its door, for a
# step's imports take seconds, in which it would outlive a killed run.
if sys.argv[:1] == ["-m"]:
    processes.die_with_parent()

torchvision_ops.install()
