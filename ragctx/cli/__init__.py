"""ragctx.cli."""
