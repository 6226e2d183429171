"""Opening images of slides, and painting synthetic ones; knows nothing of annotations or models."""
