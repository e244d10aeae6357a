"""The step `generate`: `python -m stages.generate`."""
