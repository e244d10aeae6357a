"""MA-Net (Fan et al., 2020), https://doi.org/10.1109/ACCESS.2020.3025372."""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "manet")
