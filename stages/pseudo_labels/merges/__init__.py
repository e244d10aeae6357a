"""Where the regions of `pseudo_labels.merge` come from, a file each.

`merged(labels, options, picture, content)` gives the labels uint8 [H, W] after the regions; `NEEDS` says what
it reads: the RGB `picture` uint8 [H, W, 3], or the `content` of the picture's file of regions.
"""
