"""Encoders, their initial weights, and networks as files."""
