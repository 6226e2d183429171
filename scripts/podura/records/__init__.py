"""Records of a folder of results: what made it, what went in, what came out, and whether that still holds."""
