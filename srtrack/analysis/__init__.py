"""Measure a tracker: size, speed, training memory, gradients, and results of whole experiments."""
