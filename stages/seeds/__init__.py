"""The step `seeds`: `python -m stages.seeds`."""
