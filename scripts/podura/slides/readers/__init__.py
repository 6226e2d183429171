"""One module for each family of files: Pillow, TIFF, OpenSlide."""
