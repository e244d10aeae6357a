"""Per-picture work on the workers of a Dask scheduler, where WSSS_DASK names one."""
