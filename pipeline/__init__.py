"""How the recipe is run, never what it computes. Of `stages` it imports the parameter schemas only."""
