"""The error that ends a comparison."""


class Failure(Exception):
    """Something without which the comparison cannot go on, said so that the reader can do something about it."""
