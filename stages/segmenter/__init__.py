"""The step `segmenter`: `python -m stages.segmenter`."""
