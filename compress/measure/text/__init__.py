"""Quality of texts that a model wrote, or of answers that it found: one file a metric.

`compress.measure.text.scores` computes them all; `compress.measure.text.squad` is for answers to questions.
"""
