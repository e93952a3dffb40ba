"""Work besides requests, and news between processes.

Owns: leases (one process does a job), stamps (caches learn of a change within a second), the worker thread, how rows
that wait to be sent are claimed and tried again.
Leaves to others: what the jobs do; `idp.app` lists them. Others import: `stamps`, `worker`, `outgoing`, `rules`.
"""
