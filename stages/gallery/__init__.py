"""The same pictures through every rung, small, for the page of the report."""
