"""One adapter per framework behind one contract; nothing here knows training, metrics or held-out truth."""
