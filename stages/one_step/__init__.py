"""The step `one_step`: `python -m stages.one_step`."""
