"""ragctx.encoders."""
