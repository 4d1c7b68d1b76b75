"""Benchmark regression suite for model compression: claims about compressed models, measured, judged and gated."""
