"""Gathers the scores of all rungs into the ladder, and the same pictures of all rungs into a gallery."""
