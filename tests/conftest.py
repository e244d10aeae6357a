"""For all tests: one thread each, since xdist is the parallelism, and torchvision made importable."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, and for child processes

import stages  # noqa: F401  # before a test imports torchvision, or what imports it
