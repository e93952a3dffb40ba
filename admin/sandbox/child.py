"""`python -m admin.sandbox.child ARGUMENTS` is `denizen ARGUMENTS`, tied to the demo that started it.

It imports everything at once, and begins when the demo has prepared the town and says so on standard input.
The demo holds that input open: when it is gone, even killed, reading comes to an end, and so does this process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

BEGIN: Final = b"b"


def _end_with_the_demo() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _run() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C before the beginning is no error to tell about
    import idp.serve  # noqa: F401 - what serving takes
    from admin.cli import main

    if os.read(sys.stdin.fileno(), 1) != BEGIN:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_the_demo, daemon=True).start()
    main(prog_name="denizen")


if __name__ == "__main__":
    _run()
