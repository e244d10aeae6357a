"""PSPNet (Zhao et al., 2017), https://arxiv.org/abs/1612.01105.

The library's: its decoder is lighter than the published one, and there is no auxiliary loss.
"""

from functools import partial

from stages.segmenter import library

build = partial(library.build, "pspnet")
