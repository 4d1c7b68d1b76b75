"""Pruning: which weights are set to zero, when, and what retraining is left."""
