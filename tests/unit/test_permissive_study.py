"""The study without the AGPL: its detectors' licences, and what running them imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PERMISSIVE = {"Apache-2.0", "BSD-3-Clause", "MIT"}


def entries():
    study = yaml.safe_load((ROOT / "config/studies/permissive.yaml").read_text(encoding="utf-8"))
    table = yaml.safe_load((ROOT / "config/models.yaml").read_text(encoding="utf-8"))
    return {name: table[name] for name in study["models"]["include"]}


def test_its_detectors_are_permissively_licensed():
    included = entries()
    assert len(included) >= 2
    assert len({entry["adapter"] for entry in included.values()}) >= 2
    for name, entry in included.items():
        assert entry["licence"] in PERMISSIVE, name


@pytest.mark.slow
def test_training_and_detecting_with_them_import_nothing_of_ultralytics(tmp_path):
    """Each is built, trained for a step, saved, loaded and used where Ultralytics cannot be imported."""
    code = """
import json, sys
from pathlib import Path
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "ultralytics":
            raise AssertionError(f"{name} is imported")
sys.meta_path.insert(0, Refuse())
import numpy as np, torch
from PIL import Image
from podura.configuration.study import OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.detectors.inference import detect_files
from podura.detectors.weights import initialise, load_model, save_model
from podura.training.loop import Training
from podura.training.schedule import make_optimiser
Image.fromarray(np.full((64, 96, 3), 200, np.uint8)).save("a.png")
box, label = torch.tensor([[5.0, 5, 40, 50]]), torch.tensor([1])
for adapter, architecture in json.loads(sys.argv[1]):
    detector = build_detector(adapter, architecture, ["A", "B"]).train()
    initialise(detector, "none")
    optimiser = make_optimiser(detector, OptimiserSettings("adamw", 0.001, 0.0, 0.1))
    sum(detector.loss(Batch(torch.rand(2, 3, 64, 96), (box, box), (label, label))).values()).backward()
    optimiser.step()
    facts = {"adapter": adapter, "architecture": architecture, "species": ["A", "B"]}
    folder = Path(architecture)
    save_model(detector.state_dict(), facts, folder)
    run = detect_files(load_model(folder)[0], [("a", Path("a.png"), "s")], image_size=96, score_floor=0.0,
                       max_detections=10, device=torch.device("cpu"))
    assert len(run.rows) == 10, architecture
print(sorted(m for m in sys.modules if m.startswith("ultralytics")))
"""
    pairs = [[entry["adapter"], entry["architecture"]] for entry in entries().values()]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(pairs)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]"]
