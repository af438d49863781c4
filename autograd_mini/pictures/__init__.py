"""Graphs as pictures: a model of boxes, arrows and frames, pure functions that make it, and writers that print it."""
