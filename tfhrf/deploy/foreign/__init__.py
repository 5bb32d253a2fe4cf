"""Graphs in .tflite files of others: what they have that this package does not write."""
