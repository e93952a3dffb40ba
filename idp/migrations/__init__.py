"""The one migration chain of all four packages.

Owns: `versions/`, numbered 0001, 0002, …, each a revision of that number. Leaves to others: the tables'
meaning (their packages). `idp.schema` applies it.
"""
