"""Witnesses: others who watch that a log only grows (C2SP tlog-witness).

Owns: both sides of `add-checkpoint` (what a witness decides and what a log sends), a witness's keys, its memory, and
    the little server with which a library or a neighbouring town runs one, without a town's database.
Leaves to others: the formats (:mod:`consent.log`), when a town asks its witnesses, and how it reaches them.
Others may import: its modules.

A witness never forgets the largest tree that it signed for: who has two trees of one size, or a smaller one, gets no
signature. Its memory is written down before an answer leaves.
"""
