"""One adapter per framework behind one contract; knows neither training nor metrics nor held-out truth."""
