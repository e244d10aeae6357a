"""The step `graph`: `python -m stages.graph`."""
