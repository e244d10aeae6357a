"""The step `saliency`: `python -m stages.saliency METHOD`."""
