"""One stage as a child process, many stages in their order, and a run in a worktree of its own."""
