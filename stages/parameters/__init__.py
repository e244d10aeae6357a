"""The step `parameters`: `python -m stages.parameters`."""
