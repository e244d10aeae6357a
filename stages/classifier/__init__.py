"""The step `classifier`: `python -m stages.classifier`."""
