"""Figures and pages from finished tables; this room never computes a result."""
