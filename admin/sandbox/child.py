"""What ties a `denizen serve` process to the demo that started it.

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

#: What such a process runs, before the arguments of `denizen`.
PROGRAM: Final = """\
from admin.sandbox import child
child.be_quiet()
import admin.app, idp.app, idp.serve
from admin.cli import main
child.wait_to_begin()
main(prog_name="denizen")
"""


def be_quiet() -> None:
    """Let Ctrl-C before the beginning simply end this process: it is no error to tell about."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_to_begin() -> None:
    """Return when the demo says so, and end with it from then on."""
    if os.read(sys.stdin.fileno(), 1) != BEGIN:
        raise SystemExit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_the_demo, daemon=True).start()


def _end_with_the_demo() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
