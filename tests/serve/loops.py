"""Coroutines of tests, each in a loop of its own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(asked: Coroutine[Any, Any, Any]) -> None:
    """Run it in another thread: in this one a browser's loop may be under way."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, asked).result()
