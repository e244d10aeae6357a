"""What people have; one format a file, by its name on the command line with _ for -.

`read(asked) -> Found` says what is there: every picture with its labels and shapes. It draws nothing.
"""
