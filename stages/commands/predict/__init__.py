"""The command `wsss predict`: `python -m stages.commands.predict`."""
