"""A survey in the formats of other programs."""
