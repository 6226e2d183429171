"""Reading annotations of several formats into one COCO data set, and finding their faults."""
