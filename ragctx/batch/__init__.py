"""ragctx.batch."""
