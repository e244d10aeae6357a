"""How the recipe is run, never what it computes. Of `stages` it imports parameter schemas and formats.

Eight rooms, each of which imports from those before it and from none behind (tests/pipeline/test_rooms.py):

- project/  the files and words of one clone: root, places, git, locks, gpus, presets, ledger, tables, words
- memory/   what DVC knows, and so what a run would do: graph, files, runcache, lockfile, plan; whose result
            belongs to its inputs: attribution
- results/  what was found, of any run: snapshot, scores, standing; ladder, report/, diff/, show; pages/
- engine/   one stage as a child process: stage, supervisor; many of them: recipe; worktrees for runs beside
            the checkout
- sweep/    many sets of parameters, compared
- ledger/   every method as a row of one sweep, against the plain recipe
- flows/    runs and sweeps through Prefect: flow, tasks, worker, serve
- upkeep/   doctor, checks/, prune

cli/ is the door to all of them.
"""
