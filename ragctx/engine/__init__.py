"""ragctx.engine."""
