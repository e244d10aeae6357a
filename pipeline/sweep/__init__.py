"""`wsss sweep`: many sets of parameters, each a run in a worktree of its own over the one cache.

Read it in this order: grid (from a command line or file to points), definition (what is kept of a sweep),
plan (what it would compute), trials (the runs), flow (the same through Prefect), outcome (what has come out),
effects (what each parameter does), summary and page (how that is shown), command (all of it).
"""
