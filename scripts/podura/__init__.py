"""Podura: which detector identifies springtails best, at which confidence, and what lives in a sample.

The library is importable without Snakemake. Its rooms follow the data and import in one direction
only: tables, slides, annotations, splits, detectors, training, evaluation, survey, report.
"""

__version__ = "0.1.0"
