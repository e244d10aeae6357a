"""`wsss diff`: two runs, or two points of a sweep, compared without touching the workspace.

Read it in this order: sides (what a name stands for; a run itself is ../snapshot.py), parting (where
they part, from dvc.lock), notes (what must be known first), comparison (all of it as plain data; noise is
../noise.py), tables (that data in words), text (terminal, markdown, JSON), sheet (pictures), page.
"""
