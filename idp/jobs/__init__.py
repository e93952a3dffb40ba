"""Work besides requests, and news between processes.

Owns: leases (one process does a job), stamps (caches learn of a change within a second), the worker thread.
Leaves to others: what the jobs do; `idp.app` lists them. Others import: `stamps`, `worker`.
"""
