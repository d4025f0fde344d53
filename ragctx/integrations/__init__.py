"""ragctx.integrations."""
