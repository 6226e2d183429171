"""One adapter per framework behind one contract; knows neither training nor metrics nor held-out truth."""

import os

# Before torch loads its OpenMP: threads that wait for each other by spinning bring a training to a stand
# where another program wants the same cores; sleeping costs little where none does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
