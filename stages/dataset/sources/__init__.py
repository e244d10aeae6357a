"""Layouts of data sets; one a file, by the name in dataset.source.

`read(root, params) -> Source` says what is there, and opens no picture.
"""
