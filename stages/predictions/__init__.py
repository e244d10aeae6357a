"""The step `predictions`: `python -m stages.predictions`."""
