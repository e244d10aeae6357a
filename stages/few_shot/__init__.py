"""SCL: a network that segments a class which it never learnt, by a few pictures that show it."""
