"""What three steps or more share."""
