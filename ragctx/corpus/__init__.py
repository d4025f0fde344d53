"""Documents: loaded, stored with exact offsets, cut into chunks, filtered, and given a place for their indexes."""

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.corpus import Corpus
from ragctx.corpus.progress import Progress
from ragctx.corpus.slots import IndexSlot
from ragctx.corpus.table import Chunks

__all__ = ["Chunking", "Chunks", "Corpus", "IndexSlot", "Progress"]
