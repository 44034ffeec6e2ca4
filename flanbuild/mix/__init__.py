"""Rendered rows -> shards and manifest."""
