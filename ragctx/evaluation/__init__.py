"""ragctx.evaluation."""
