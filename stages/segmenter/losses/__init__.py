"""Losses of the segmenter, of scores and labels; one a file."""
