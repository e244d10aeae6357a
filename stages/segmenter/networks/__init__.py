"""Networks of the segmenter; one a file.

`build(encoder, classes, options)` gives a new one: scores [B, classes, H, W] of pictures [B, 3, H, W] whose
sides padding.DIVISOR (stages/common/networks) divides. `classes` counts the background. While it trains, a
network may give [(scores, weight), ...] instead, of heads or scales whose losses add up; its own scores come
first. What it takes stands in stages/segmenter/network_params.py. Where options have defaults of their own,
`settled(encoder, options)` writes them out, so that a new default changes no saved network. A file may have
`scoring(network)`: the convolution that makes the scores of one coarse map, on which a term's head may stand.
"""
