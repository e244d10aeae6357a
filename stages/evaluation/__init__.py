"""Scores each rung of the ladder against the masks; nothing else reads them."""
