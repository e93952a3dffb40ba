"""The benchmark behind `make bench`: what Denizen costs, beside the fastest peer, in the same run.

Owns: a closed-loop load generator for loopback, the CPU and memory accounts of process trees,
the workloads of an OpenID Provider, the budgets, and the table that holds one against the other.
Leaves to others: correctness (the tests). Nothing here is a timed test: machines are noisy, so the
figures are read by people, and the verdict is a ratio to the peer.

Start it with `python -m tests.bench`; `--help` lists the options. Nothing outside imports from here.
"""
