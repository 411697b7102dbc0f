"""Unmodified programs of the distribution, one file per family; case.py says what a case is."""
