"""The step `affinity`: `python -m stages.affinity`."""
