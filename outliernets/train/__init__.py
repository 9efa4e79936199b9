"""Learning: from windows of normal sound to Keras weights and to a full-int8 .tflite file."""
