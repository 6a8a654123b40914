"""What the archive holds, and whether there is something newer."""

from typing import Any

from fastapi import APIRouter

from terradrift.serve.held import Held


def router(held: Held) -> APIRouter:
    """`/api/archive` and `/api/fresh`."""
    routes = APIRouter()

    @routes.get("/api/archive")
    def archive() -> dict[str, Any]:
        now = held.newest()
        return {
            "name": now.archive.store.root.name,
            "model": now.model,
            "version": now.version,
            "read_only": held.read_only,
        }

    @routes.get("/api/fresh")
    def fresh(v: str) -> dict[str, Any]:
        return {"version": (now := held.version_now()), "newer": now != v}

    return routes
