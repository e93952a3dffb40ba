"""`python -m tests.fuzz [--seconds N] [TARGET …]`: each target for so many seconds; 1 when something was found."""

from __future__ import annotations

import argparse
import sys
import traceback

from tests.fuzz.every import TARGETS


def main() -> int:
    """Run the targets one after another, each to its end, whatever the others find."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzz what reads strangers' input."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}")
    failed = []
    for name in options.targets or TARGETS:
        try:
            count = TARGETS[name].run_for(options.seconds)
        except Exception:  # noqa: BLE001 - whatever an input brings about is what we look for
            traceback.print_exc()
            failed.append(name)
        else:
            print(f"{name}: {count} inputs, nothing found", flush=True)
    if failed:
        print(
            f"\nFound something: {', '.join(failed)}. The shortest input stands at the end of each traceback;"
        )
        print("`make test` tries it again until it is mended. Then make it an example of its target.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
