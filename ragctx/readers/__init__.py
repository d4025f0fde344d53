"""ragctx.readers."""
