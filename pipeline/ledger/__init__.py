"""`wsss ledger`: every method a row, all rows one sweep over one cache, and a page of them side by side.

Read it in this order: rows (what ledger/*.yaml may say), points (a row as parameters, checked), runs (the
rows as a sweep, and which of its runs are there), estimate (what the rest takes, cheapest first), numbers
(of one run), table (all rows against the plain one), page (how that is shown), command (all of it).

project.ledger is another one: what each stage of each run took.
"""
