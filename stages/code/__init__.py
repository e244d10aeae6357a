"""The step `code`: `python -m stages.code`."""
