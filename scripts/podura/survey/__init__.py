"""Surveys: what lives in new, unlabelled samples."""
