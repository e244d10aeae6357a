"""What DVC knows: the graph, the files, the cache and its run cache, dvc.lock; and so what a run would do."""
