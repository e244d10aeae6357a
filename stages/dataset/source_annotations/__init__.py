"""Where each layout of data sets has what people drew; one a file, by the name in dataset.source.

`boxes`, `points` and `scribbles` are functions `(root, train, source) -> Drawn` of the records of train. A
layout without a file here has image labels alone.
"""
