"""Evaluation: protocols as pure functions, result files, and MMEngine metrics.

Nothing is imported here: scoring result files must not wait for torch. The metrics are in
``srtrack.evaluation.metrics``.
"""
