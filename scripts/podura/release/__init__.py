"""Releases: a detector of a study, with its thresholds and evidence, in a folder that works by itself."""
