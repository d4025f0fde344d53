"""ragctx.corpus."""
