"""Evaluation: protocols as pure functions, result files, and MMEngine metrics.

This file imports nothing, so scoring result files need not wait for torch. The metrics are in
``srtrack.evaluation.metrics``.
"""
