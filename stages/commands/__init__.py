"""What `wsss` starts beside the recipe: predict, show, compare, export. None of it is a step."""
