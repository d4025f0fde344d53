"""Agents: strategies that read with several model calls. One file a method."""
