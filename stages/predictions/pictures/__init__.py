"""The command `wsss predict`: `python -m stages.predictions.pictures`."""
