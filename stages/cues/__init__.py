"""The step `cues`: `python -m stages.cues`."""
