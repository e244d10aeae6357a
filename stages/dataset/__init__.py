"""The step `dataset`: `python -m stages.dataset`."""
