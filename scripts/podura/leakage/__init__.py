"""Images that show the same: copies, crops and overlapping fields, and whether they lie in two parts."""
