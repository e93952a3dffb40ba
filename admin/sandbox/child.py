"""`python -m admin.sandbox.child ARGUMENTS` is `denizen ARGUMENTS`, but ends with the demo, however that ends.

The demo holds the other end of standard input open: when it is gone, even killed, reading comes to an end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def _end_with_the_demo() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_demo, daemon=True).start()
    from admin.cli import main

    main(prog_name="denizen")
