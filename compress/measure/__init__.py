"""Measure an artifact: size, speed, memory, quality."""
