# Generated from src/codex_api/_async/__init__.py by tools/generate_sync.py; do not edit.
"""The blocking front: signatures and loops only."""
