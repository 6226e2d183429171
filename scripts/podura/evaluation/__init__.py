"""Matching, average precision, thresholds and resampling: one evaluator for every detector."""
