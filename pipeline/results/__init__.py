"""What was found: the numbers of any run, whether they are the run's, and the pages that show them."""
