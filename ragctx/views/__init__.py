"""ragctx.views."""
