"""What the tests run on: a private PostgreSQL, Chromium, an SMTP server. Holds no test.

Owns: starting and ending programs that are not ours. `system.sh` and `npm.sh` install them.
Leaves to others: anything that knows Denizen's own pages or tables; that stands beside its tests.
"""
