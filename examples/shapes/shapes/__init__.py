"""Finds simple shapes in small grey pictures: which one it is, and where."""
