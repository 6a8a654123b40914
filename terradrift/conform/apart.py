"""A check in a process of its own: what a hostile file does to libraries ends there.

A page of a few bytes may say that it unpacks to gigabytes, and a damaged file may crash a
C library. Memory is bounded by the operating system, so either is a finding.
"""

import json
import subprocess
import sys
from pathlib import Path

from terradrift.conform.finding import Finding, named

MEMORY_BYTES = 6 << 30
SECONDS = 1_800.0


def check(
    path: str | Path, memory_bytes: int = MEMORY_BYTES, seconds: float = SECONDS
) -> list[Finding]:
    """`checking.check` within `memory_bytes` and `seconds`; costs the start of Python."""
    where = named(str(path))
    asked = json.dumps({"path": str(path), "memory_bytes": memory_bytes})
    try:
        done = subprocess.run(  # noqa: S603 - Python itself, and no text in the command
            [sys.executable, "-m", __name__],
            input=asked.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [_ended(where, f"more than {seconds:,.0f} s")]
    try:
        return [Finding(**one) for one in json.loads(done.stdout)]
    except (ValueError, TypeError):
        what = (
            f"signal {-done.returncode}" if done.returncode < 0 else "too little memory"
        )
        return [_ended(where, f"the check ended by {what}")]


def _ended(where: str, what: str) -> Finding:
    return Finding(
        "error",
        "resources",
        where,
        f"a file that can be checked within {MEMORY_BYTES >> 30} GiB and its time",
        what,
        "do not open it elsewhere before you know who made it",
    )


def main() -> None:
    """Check the path on standard input; findings to standard output as JSON."""
    import resource

    asked = json.load(sys.stdin)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = asked["memory_bytes"]
    if most == resource.RLIM_INFINITY or most > bound:
        resource.setrlimit(resource.RLIMIT_DATA, (bound, most))
    from terradrift.conform import checking

    found = checking.check(asked["path"])
    sys.stdout.write(json.dumps([one.record() for one in found]))


if __name__ == "__main__":
    main()
