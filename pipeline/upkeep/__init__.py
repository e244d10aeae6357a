"""What keeps a project well: the doctor and its checks, prune."""
