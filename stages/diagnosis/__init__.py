"""What the classifier's scores rest on: bias or layer, and which pixels."""
