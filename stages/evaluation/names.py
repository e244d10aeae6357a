"""What results and scores say of their classes where all of them are one."""

OBJECTS = ("background", "foreground")  # what classes.json holds beside results in which all classes are one
MERGED = "merged"  # what metrics.json of their rung says of its classes
