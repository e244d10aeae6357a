"""The project as files, git and words: where things lie, who holds a lock, what the parameters are."""
