"""Work besides requests, and news between processes.

Owns: leases (one process does a job), stamps (caches learn of a change within a second), the worker thread, how a job
does many things one by one, how rows that wait to be sent are claimed and tried again.
Leaves to others: what the jobs do; `idp.app` lists them. Others import: `stamps`, `worker`, `one_by_one`,
`outgoing`, `rules`.
"""
