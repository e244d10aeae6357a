"""The step `affinity_labels`: `python -m stages.affinity_labels`."""
