"""The step `ordinary_classifier`: `python -m stages.ordinary_classifier`."""
