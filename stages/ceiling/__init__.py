"""What full supervision would reach, outside the recipe."""
