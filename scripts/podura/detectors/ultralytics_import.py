"""Importing Ultralytics without what it does to a process, a home folder and a network.

On import it asks two name servers whether there is a network, writes a settings file, sets environment
variables and warning filters, forbids OpenCV its threads, changes how arrays are printed, and replaces
``PIL.Image.open`` (by one that would install a package on an unknown format) and ``torch.save``.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from PIL import Image

_WANTED = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


@contextmanager
def quiet_import() -> Iterator[None]:
    """Within it modules of Ultralytics may be imported; afterwards the process is as it was before."""
    environment, printing, threads = dict(os.environ), np.get_printoptions(), cv2.getNumThreads()
    reading, writing, showing = cv2.imread, cv2.imwrite, cv2.imshow
    opening, saving = Image.open, torch.save
    with tempfile.TemporaryDirectory(prefix="podura-ultralytics-") as folder, warnings.catch_warnings():
        os.environ.update(_WANTED, YOLO_CONFIG_DIR=folder)
        try:
            yield
        finally:
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
            np.set_printoptions(**printing)
            torch.set_printoptions(profile="default")
            cv2.setNumThreads(threads)
            cv2.imread, cv2.imwrite, cv2.imshow = reading, writing, showing
            Image.open, torch.save = opening, saving
