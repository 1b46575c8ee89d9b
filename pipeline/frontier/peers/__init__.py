"""The peer that users would pick: Larq on TensorFlow, in turns with our methods."""
