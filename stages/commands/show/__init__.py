"""The command `wsss show`: `python -m stages.commands.show`."""
