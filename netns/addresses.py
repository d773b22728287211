"""Addresses as text."""

from __future__ import annotations


def host_port(host: str, port: int) -> str:
    """`10.0.0.1:80` or `[fd00::1]:80` (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
