"""ragctx.routing."""
