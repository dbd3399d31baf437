"""Measure a tracker: size and speed, training memory, gradients, and whole experiments."""
