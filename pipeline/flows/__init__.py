"""The same runs through Prefect: flows, tasks, workers, what is published, and a server to look at them."""
