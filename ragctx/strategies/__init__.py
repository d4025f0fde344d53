"""ragctx.strategies."""
