"""Other frameworks' interfaces over ragctx; each module needs its own extra and imports nothing before it is imported."""
