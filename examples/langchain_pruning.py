"""Reranking and pruning inside LangChain, offline: passages in, the sentences that a question needs out.

Needs the extra `langchain` only: `python examples/langchain_pruning.py "What is the notice period?"`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from ragctx import Corpus
from ragctx.integrations.langchain import RagctxCompressor, RagctxReranker, RagctxRetriever

DOCUMENTS = Path(__file__).parent / "documents"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", nargs="?", default="How much notice must the tenant of Kestrel Wharf give?")
    parser.add_argument("--tokens", type=int, default=120, help="most tokens to keep")
    asked = parser.parse_args()

    retriever = RagctxRetriever(corpus=Corpus.over(DOCUMENTS), retriever="bm25", limit=12)
    best = RagctxReranker(top_n=4)
    needed = RagctxCompressor(compressor="provence", budget=asked.tokens)

    def shorten(found: dict) -> list:
        ranked = best.compress_documents(found["documents"], found["question"])
        return needed.compress_documents(ranked, found["question"])

    # `chain | prompt | model` goes on from here with any LangChain prompt and model.
    chain = {"documents": retriever, "question": RunnablePassthrough()} | RunnableLambda(shorten)
    for document in chain.invoke(asked.question):
        place = f"{document.metadata['source']}  (relevance {document.metadata['relevance_score']:.2f})"
        print(f"{place}\n    {' '.join(document.page_content.split())}\n")


if __name__ == "__main__":
    main()
