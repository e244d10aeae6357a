"""How the recipe is run, never what it computes. Of `stages` it imports parameter schemas and formats.

Read it in this order:

- what would happen: graph, files, runcache, plan, ledger, needs
- one stage as one child process: run, output, outcomes, child, objects, leftovers, locks, gpus, lockfile,
  places; whose result belongs to its inputs: attribution; whose failure loses nothing: putback, ends
- many stages: runner, terminal; in a worktree of their own: worktrees; on another machine: remote
- many sets of parameters: sweep/
- the same through Prefect: flow, tasks, workplace, ending, worker, publish, contact, serve,
  deployments, password
- what was found: scores, standing, provenance, tables, ladder, data_set; report/; of any run: snapshot,
  cached, changes; diff/, noise
- what others wrote, on its way to a path or a screen: safe, words
- how that is drawn: pages/ (templates), charts; pictures by children that compute: children, show
- upkeep: doctor, checks/, prune, users, rwlock, sizes
- the user's other commands: cli, project, presets, links, plots
"""
