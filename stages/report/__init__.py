"""Gathers the scores of all rungs into the ladder."""
