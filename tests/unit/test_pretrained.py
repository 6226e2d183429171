"""Published weights: brought once from a loopback server, checked, and turned into safetensors."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from podura.configuration.study import PretrainedFile, WeightSettings
from podura.detectors.pretrained import bring
from podura.detectors.weights import load_tensors
from podura.downloads import Patience
from podura.errors import UserError
from weight_server import Answer, Server, weight_server

QUICK = Patience(attempts=2, pause=0.01, connect=2, read=0.5)
TENSORS = {"head.weight": torch.arange(6.0).reshape(2, 3), "norm.num_batches_tracked": torch.tensor(7)}


def pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


CONTENT = pickled(TENSORS)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FILE = PretrainedFile(
    name="net-0a1b2c3d",
    url="https://weights.invalid/net-0a1b2c3d.pth",
    format="torchvision",
    sha256=DIGEST,
    sha256_start=None,
    size=len(CONTENT),
    licence="BSD-3-Clause",
)
UNKNOWN = dataclasses.replace(FILE, sha256=None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in [name for name in os.environ if name.casefold().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with weight_server() as running:
        running.files["/m/net-0a1b2c3d.pth"] = CONTENT
        yield running


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> WeightSettings:
    return WeightSettings(folder=tmp_path / "weights", mirror=f"{server.address}/m/", offline=False)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def refused(file: PretrainedFile, settings: WeightSettings) -> str:
    with pytest.raises(UserError) as caught:
        bring(file, settings, patience=QUICK)
    message = str(caught.value)
    assert "\n" not in message
    # Nothing that looks like weights is left of what was refused.
    assert not file.kept_in(settings.folder).exists()
    assert not [path for path in settings.folder.glob(".*") if path.name.endswith(".part")] or (
        "cannot be had" in message
    )
    return message


def test_weights_are_brought_once_and_kept_as_safetensors_with_their_source(
    server: Server, settings: WeightSettings
) -> None:
    kept = bring(FILE, settings, patience=QUICK)
    assert kept == settings.folder / "net-0a1b2c3d.safetensors"
    assert equal(load_tensors(kept), TENSORS)
    facts = json.loads(kept.with_suffix(".json").read_text())
    assert facts["published_sha256"] == DIGEST
    assert facts["url"] == FILE.url
    assert facts["source"] == f"{server.address}/m/net-0a1b2c3d.pth"
    assert facts["weights_sha256"] == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert facts["licence"] == "BSD-3-Clause"
    assert facts["tensors"] == 2
    visible = {path.name for path in settings.folder.iterdir() if not path.name.startswith(".")}
    assert visible == {kept.name, "net-0a1b2c3d.json", "net-0a1b2c3d.pth.sha256"}
    assert bring(FILE, settings, patience=QUICK) == kept
    assert len(server.asked) == 1


def test_the_record_of_the_digest_is_what_sha256sum_checks(settings: WeightSettings) -> None:
    bring(UNKNOWN, settings, patience=QUICK)
    (settings.folder / FILE.published_name).write_bytes(CONTENT)
    done = subprocess.run(
        ["sha256sum", "--check", f"{FILE.published_name}.sha256"], cwd=settings.folder, check=False
    )
    assert done.returncode == 0


def test_a_file_that_broke_off_is_continued_and_fits_its_digest(
    server: Server, settings: WeightSettings
) -> None:
    server.answers["/m/net-0a1b2c3d.pth"] = [Answer(cut_after=len(CONTENT) // 2)]
    assert equal(load_tensors(bring(FILE, settings, patience=QUICK)), TENSORS)
    assert server.ranges_of("/m/net-0a1b2c3d.pth")[1] == f"bytes={len(CONTENT) // 2}-"


def test_a_tampered_file_is_refused(server: Server, settings: WeightSettings) -> None:
    content = bytearray(CONTENT)
    content[len(content) // 2] ^= 1
    server.files["/m/net-0a1b2c3d.pth"] = bytes(content)
    message = refused(FILE, settings)
    assert DIGEST in message
    assert hashlib.sha256(content).hexdigest() in message
    assert "tampered" in message
    # The true one is taken afterwards: nothing of the other was remembered.
    server.files["/m/net-0a1b2c3d.pth"] = CONTENT
    assert equal(load_tensors(bring(FILE, settings, patience=QUICK)), TENSORS)


def test_a_file_that_is_cut_short_without_a_word_is_refused(server: Server, settings: WeightSettings) -> None:
    server.files["/m/net-0a1b2c3d.pth"] = CONTENT[:-100]
    assert "is not used" in refused(FILE, settings)
    assert "no whole file of tensors" in refused(UNKNOWN, settings)


def test_a_digest_must_begin_as_its_publisher_says(settings: WeightSettings) -> None:
    assert "as its publisher knows it" in refused(
        dataclasses.replace(UNKNOWN, sha256_start="00000000"), settings
    )
    bring(dataclasses.replace(UNKNOWN, sha256_start=DIGEST[:8]), settings, patience=QUICK)


def test_an_unknown_digest_is_recorded_on_first_use_and_binding_from_then_on(
    server: Server, settings: WeightSettings
) -> None:
    kept = bring(UNKNOWN, settings, patience=QUICK)
    kept.unlink()
    kept.with_suffix(".json").unlink()
    server.files["/m/net-0a1b2c3d.pth"] = pickled({"head.weight": torch.zeros(2, 3)})
    assert "written when it was first used" in refused(UNKNOWN, settings)
    server.files["/m/net-0a1b2c3d.pth"] = CONTENT
    assert equal(load_tensors(bring(UNKNOWN, settings, patience=QUICK)), TENSORS)


def test_a_digest_that_is_known_by_now_is_held_against_what_was_brought_before(
    settings: WeightSettings,
) -> None:
    bring(UNKNOWN, settings, patience=QUICK)
    bring(FILE, settings, patience=QUICK)
    with pytest.raises(UserError, match=r"sources\.yaml by now says"):
        bring(dataclasses.replace(FILE, sha256="0" * 64), settings, patience=QUICK)


def test_kept_weights_that_were_changed_are_refused(settings: WeightSettings) -> None:
    kept = bring(FILE, settings, patience=QUICK)
    save_file({"head.weight": torch.zeros(2, 3)}, kept)
    with pytest.raises(UserError, match=r"is not the file that net-0a1b2c3d\.json beside it describes"):
        bring(FILE, settings, patience=QUICK)


@pytest.mark.parametrize("published_as", ["torchvision", "ultralytics"])
def test_a_pickle_with_code_in_it_is_refused_and_nothing_of_it_runs(
    server: Server, settings: WeightSettings, tmp_path: Path, published_as: str
) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (os.mkdir, (str(tmp_path / "ran"),))

    file = dataclasses.replace(UNKNOWN, format=published_as)
    server.files[f"/m/{file.published_name}"] = pickled({"model": Evil()})
    refused(file, settings)
    assert not (tmp_path / "ran").exists()
    torch.load(io.BytesIO(pickled({"model": Evil()})), weights_only=False)
    assert (tmp_path / "ran").exists(), "the file would have run its code"


def test_checkpoints_of_ultralytics_are_read_with_the_names_of_their_model(
    server: Server, settings: WeightSettings
) -> None:
    importlib.import_module("podura.detectors.ultralytics_adapter")  # which keeps Ultralytics quiet
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolov5n.yaml", nc=3, verbose=False).half()
    server.files["/m/net-0a1b2c3d.pt"] = pickled({"epoch": -1, "model": model, "ema": None})
    file = dataclasses.replace(UNKNOWN, format="ultralytics", size=None)
    kept = load_tensors(bring(file, settings, patience=QUICK))
    assert equal(
        kept, {name: t.float() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    )


@pytest.mark.parametrize("value", [[torch.zeros(2)], {"a": 1}, {3: torch.zeros(2)}, torch.zeros(2), {}])
def test_a_file_without_tensors_by_name_is_refused(
    server: Server, settings: WeightSettings, value: Any
) -> None:
    server.files["/m/net-0a1b2c3d.pth"] = pickled(value)
    assert "does not hold tensors by their names" in refused(UNKNOWN, settings)


def test_safetensors_are_kept_to_the_byte(server: Server, settings: WeightSettings, tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "w", {"format": "pt"})
    content = (tmp_path / "w").read_bytes()
    file = dataclasses.replace(FILE, format="safetensors", sha256=hashlib.sha256(content).hexdigest())
    server.files["/m/net-0a1b2c3d.safetensors"] = content
    kept = bring(file, settings, patience=QUICK)
    assert kept.read_bytes() == content
    kept.unlink()
    kept.with_suffix(".json").unlink()
    server.files["/m/net-0a1b2c3d.safetensors"] = content[:-8]
    assert "not used" in refused(file, settings)


def test_the_publishers_file_that_someone_put_there_is_taken_checked_and_left(
    server: Server, settings: WeightSettings
) -> None:
    settings.folder.mkdir()
    given = settings.folder / FILE.published_name
    given.write_bytes(CONTENT[:-1] + b"x")
    assert "is not used" in refused(FILE, dataclasses.replace(settings, offline=True))
    given.write_bytes(CONTENT)
    kept = bring(FILE, dataclasses.replace(settings, offline=True))
    assert equal(load_tensors(kept), TENSORS)
    assert given.read_bytes() == CONTENT
    assert server.asked == []


def test_safetensors_that_someone_put_there_are_taken_as_far_as_they_can_be_checked(
    settings: WeightSettings,
) -> None:
    offline = dataclasses.replace(settings, offline=True)
    settings.folder.mkdir()
    kept = FILE.kept_in(settings.folder)
    save_file(TENSORS, kept)
    assert bring(FILE, offline) == kept  # there is no digest of what the publisher's file is turned into
    assert json.loads(kept.with_suffix(".json").read_text())["published_sha256"] is None
    kept.with_suffix(".json").unlink()
    with pytest.raises(UserError, match="is not used"):
        bring(dataclasses.replace(FILE, format="safetensors", sha256="0" * 64), offline)
    kept.write_bytes(b"not weights")
    with pytest.raises(UserError, match="not a whole safetensors file"):
        bring(FILE, offline)


def test_a_folder_serves_as_a_mirror_without_a_network(
    server: Server, settings: WeightSettings, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    elsewhere = dataclasses.replace(settings, mirror=str(mirror), offline=True)
    assert "weights.offline is true" in refused(FILE, elsewhere)
    assert f"not in the mirror {mirror}" in refused(FILE, dataclasses.replace(elsewhere, offline=False))
    (mirror / FILE.published_name).write_bytes(CONTENT)
    assert equal(load_tensors(bring(FILE, elsewhere)), TENSORS)
    assert server.asked == []


def test_weights_never_lie_there_without_what_is_known_of_them(
    settings: WeightSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("podura.detectors.pretrained.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            bring(FILE, settings, patience=QUICK)
    assert not FILE.kept_in(settings.folder).exists()
    kept = bring(FILE, settings, patience=QUICK)
    assert json.loads(kept.with_suffix(".json").read_text())["published_sha256"] == DIGEST


def test_what_cannot_be_had_says_what_to_bring_from_where_to_where(
    server: Server, settings: WeightSettings
) -> None:
    server.files.clear()
    message = refused(FILE, settings)
    for said in ("404", FILE.url, str(settings.folder / FILE.published_name), "fetch_weights", "by hand"):
        assert said in message


def test_two_processes_at_once_fetch_once(server: Server, settings: WeightSettings) -> None:
    code = (
        "import sys, json; from pathlib import Path\n"
        "from podura.configuration.study import PretrainedFile, WeightSettings\n"
        "from podura.detectors.pretrained import bring\n"
        "file, settings = json.loads(sys.argv[1]), json.loads(sys.argv[2])\n"
        "bring(PretrainedFile(**file), WeightSettings(Path(settings['folder']), settings['mirror'], False))\n"
    )
    arguments = [
        json.dumps(dataclasses.asdict(FILE)),
        json.dumps({"folder": str(settings.folder), "mirror": settings.mirror}),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment) for _ in range(2)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert len(server.asked) == 1
    assert equal(load_tensors(FILE.kept_in(settings.folder)), TENSORS)
