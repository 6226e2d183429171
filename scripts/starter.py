"""Turn a trained model into starting weights for others: half precision, with JSON on its origin."""

from __future__ import annotations

import argparse
from pathlib import Path

from podura import jobs
from podura.detectors.weights import load_model, save_tensors
from podura.fingerprints import file_digest
from podura.tables import write_json


def main(arguments: argparse.Namespace) -> None:
    detector, facts = load_model(arguments.model)
    halved = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in detector.state_dict().items()
    }
    save_tensors(halved, arguments.output)
    keys = (
        "adapter",
        "architecture",
        "species",
        "image_size",
        "start",
        "steps",
        "training_images",
        "versions",
    )
    origin = {key: facts[key] for key in keys}
    write_json(
        {**origin, "weights_sha256": file_digest(arguments.output)}, arguments.output.with_suffix(".json")
    )


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--output", type=Path, required=True, help="safetensors file to write")
    jobs.run(main, parser)
