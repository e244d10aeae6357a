"""`python -m pipeline.cli`, as `wsss`."""

from pipeline.cli import main

main()
