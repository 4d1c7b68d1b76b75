"""TensorFlow Model Optimization (TFMOT 0.8) on Keras 3 models: pruning, clustering, quantization-aware training.

TFMOT only speaks Keras 2. Each step carries the model to tf_keras, lets TFMOT wrap and train it there, and brings the
weights back into the Keras 3 architecture. TFMOT trains with random numbers of its own: a step sets tf_keras's and
TensorFlow's global seeds, and leaves those of Python and NumPy as they were.
"""
