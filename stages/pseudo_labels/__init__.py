"""The step `pseudo_labels`: `python -m stages.pseudo_labels`."""
