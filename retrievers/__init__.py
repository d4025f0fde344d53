"""Retrievers: each decides which spans of a corpus a question needs. One file a method."""
