"""Other frameworks' interfaces over ragctx: each module needs its own extra and is imported only when named."""
