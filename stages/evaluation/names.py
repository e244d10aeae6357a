"""Names and numbers that the evaluation and what shows its files share."""

OBJECTS = ("background", "foreground")  # what classes.json holds beside results in which all classes are one
MERGED = "merged"  # what metrics.json of their rung says of its classes
WIDTH = 3  # pixels: that of boundary_miou and interior_miou in metrics.json
NEAR, INSIDE = "boundary_miou", "interior_miou"
