"""How well the seeds explain the classifier, by its own answers to masked pictures."""
