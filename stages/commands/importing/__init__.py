"""The command `wsss import`: `python -m stages.commands.importing`."""
