"""Fuzzing of whatever reads what strangers send: `make fuzz`, and a few hundred inputs each in `make test`.

Owns: the targets, each a strategy of inputs and the invariant that holds for every one of them; the runner.
Leaves to others: requirements one by one (the tests beside each feature, `tests/security`).

The inputs are Hypothesis's: sound ones that are bent, so that they come past the first check, and noise. It shrinks what
it finds and keeps it in `.hypothesis`, from where the next run of either kind begins. A finding that is mended becomes an
example of its target.
"""
