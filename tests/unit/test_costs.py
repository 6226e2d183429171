"""What detectors cost: sums, means and what is missing; meters of energy are read or said not to be there."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from podura import energy
from podura.energy import EnergyMeter, energy_facts
from podura.evaluation.costs import RunCost, costs_table
from training_data import SmallDetector, equal, labelled_images, training


def trained(**changed):
    facts = {
        "parameters": 1_000_000,
        "device": "cpu",
        "machine": {"processor": "some CPU", "cores": "2"},
        "training_seconds": 30.0,
        "stepping_seconds": 20.0,
        "images_seen": 100,
        "peak_memory_mb": 900.0,
        "peak_gpu_memory_mb": None,
        "energy_wh": None,
        "energy_metered": [],
        "energy_unknown": "no meter of energy can be read on this machine",
    }
    return {**facts, **changed}


def detected(**changed):
    facts = {
        "images": 11,
        "failed": {"broken.png": "cut off"},
        "seconds": 5.0,
        "peak_memory_mb": 400.0,
        "peak_gpu_memory_mb": None,
        "energy_wh": None,
        "energy_metered": [],
        "energy_unknown": "no meter of energy can be read on this machine",
    }
    return {**facts, **changed}


METERED = {"energy_wh": 2.0, "energy_metered": ["processor"], "energy_unknown": None}


def run(trainings=None, detection=None, detections=None, weights=4_000_000, megapixels=20.0):
    trainings = trainings or [trained()]
    detection = detection or detected()
    return RunCost(
        trainings=trainings,
        weights_bytes=[weights] * len(trainings),
        detection=detection,
        detections=detections or [detection],
        megapixels=megapixels,
    )


def row(*runs):
    (found,) = costs_table({"one": list(runs)}).to_dict("records")
    return found


class TestTable:
    def test_means_over_runs_and_speed_over_the_images_that_could_be_read(self) -> None:
        found = row(run(), run([trained(training_seconds=50.0, images_seen=140, peak_memory_mb=1000.0)]))
        assert (found["n_runs"], found["n_fused"]) == (2, 1)
        assert found["training_seconds"] == 40.0
        assert found["training_images"] == 120.0
        assert found["training_images_per_second"] == pytest.approx(240 / 40), "validation does not count"
        assert found["training_memory_mb"] == 1000.0
        assert found["model_mb"] == 4.0
        assert found["detection_images"] == 20, "an image that could not be read was not detected in"
        assert found["detection_images_per_second"] == pytest.approx(20 / 10)
        assert found["detection_megapixels_per_second"] == pytest.approx(40 / 10)

    def test_what_is_not_measured_is_missing_and_never_zero(self) -> None:
        found = row(run())
        for column in ("training_energy_wh", "detection_energy_wh", "training_gpu_memory_mb"):
            assert found[column] != found[column], column
        assert found["energy_status"] == "not measurable"
        assert found["energy_note"] == "no meter of energy can be read on this machine"

    def test_energy_is_told_where_every_run_was_metered(self) -> None:
        metered = run([trained(**METERED)], detected(**METERED))
        found = row(metered)
        assert found["training_energy_wh"] == 2.0
        assert found["detection_energy_wh"] == pytest.approx(2.0 / 10 * 1000)
        assert (found["energy_status"], found["energy_note"]) == ("measured", "processor")
        mixed = row(metered, run())
        assert mixed["training_energy_wh"] != mixed["training_energy_wh"]
        assert mixed["energy_status"] == "partly measured"
        assert "no meter" in mixed["energy_note"]

    def test_an_ensemble_costs_what_it_fuses(self) -> None:
        members = [detected(seconds=2.0, **METERED), detected(seconds=3.0, peak_memory_mb=700.0, **METERED)]
        fused = {"images": 11, "failed": {"broken.png": "cut off"}, "seconds": 6.0}
        found = row(run([trained(**METERED), trained(**METERED)], fused, members))
        assert found["n_fused"] == 2
        assert found["parameters"] == 2_000_000
        assert found["model_mb"] == 8.0
        assert found["training_seconds"] == 60.0
        assert found["training_energy_wh"] == 4.0
        assert found["detection_seconds"] == pytest.approx(6 / 11)
        assert found["detection_memory_mb"] == 700.0
        assert found["detection_energy_wh"] == pytest.approx(400.0)

    def test_a_study_in_which_no_image_could_be_read_has_no_speed(self) -> None:
        found = row(run(detection=detected(images=1, seconds=0.0)))
        assert found["detection_images"] == 0
        assert found["detection_seconds"] != found["detection_seconds"]


def fake_codecarbon(monkeypatch, *, rapl: bool, gpu: bool, tracker=None) -> list[dict]:
    """Put a codecarbon in place whose meters are there or not; returns the settings of its trackers."""
    made: list[dict] = []

    class BaseOutput:
        pass

    class Tracker:
        def __init__(self, **settings):
            made.append(settings)
            self.output, self.flushed = settings["output_handlers"][0], 0

        def start(self):
            pass

        def flush(self):
            self.flushed += 1
            told = types.SimpleNamespace(cpu_energy=0.003 * self.flushed, gpu_energy=0.01, ram_energy=99.0)
            self.output.out(told, None)

        def stop(self):
            pass

    modules = {
        "codecarbon": {"OfflineEmissionsTracker": tracker or Tracker},
        "codecarbon.core": {},
        "codecarbon.core.cpu": {"is_rapl_available": lambda: rapl},
        "codecarbon.core.gpu": {"is_gpu_details_available": lambda: gpu},
        "codecarbon.output_methods": {},
        "codecarbon.output_methods.base_output": {"BaseOutput": BaseOutput},
    }
    for name, held in modules.items():
        module = types.ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
    return made


class TestMeter:
    def test_without_codecarbon_energy_is_not_measurable_and_nothing_fails(self, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "codecarbon.core.cpu", None)
        with EnergyMeter() as meter:
            assert meter.watt_hours() is None
        facts = energy_facts(None, meter)
        assert facts == {
            "energy_wh": None, "energy_metered": [], "energy_unknown": "codecarbon is not installed",
        }  # fmt: skip

    def test_without_a_meter_no_tracker_is_started_and_no_estimate_taken(self, monkeypatch) -> None:
        made = fake_codecarbon(monkeypatch, rapl=False, gpu=False)
        with EnergyMeter("cpu") as meter:
            assert meter.watt_hours() is None
        assert made == []
        assert "no meter" in str(meter.reason)

    def test_a_graphics_card_without_a_meter_leaves_the_job_unmeasured(self, monkeypatch) -> None:
        fake_codecarbon(monkeypatch, rapl=True, gpu=False)
        assert EnergyMeter("cuda").sources == ()
        assert EnergyMeter("cpu").sources == ("processor",)

    def test_what_is_metered_is_summed_and_what_is_estimated_left_out(self, monkeypatch) -> None:
        made = fake_codecarbon(monkeypatch, rapl=True, gpu=True)
        with EnergyMeter("cuda:0", "GPU-1") as meter:
            assert meter.watt_hours() == pytest.approx(3 + 10), "the memory's share is an estimate"
            assert meter.watt_hours() == pytest.approx(6 + 10)
        assert made[0]["gpu_ids"] == ["GPU-1"]
        assert made[0]["output_methods"] == []
        assert made[0]["force_mode_cpu_load"] is False
        assert energy_facts(16.0, meter)["energy_metered"] == ["processor", "graphics card"]

    def test_a_job_on_a_processor_does_not_count_cards(self, monkeypatch) -> None:
        fake_codecarbon(monkeypatch, rapl=True, gpu=True)
        with EnergyMeter("cpu") as meter:
            assert meter.watt_hours() == pytest.approx(3)

    def test_meters_that_fail_are_a_reason_and_no_error(self, monkeypatch) -> None:
        def broken(**_):
            raise OSError("permission denied")

        fake_codecarbon(monkeypatch, rapl=True, gpu=False, tracker=broken)
        with EnergyMeter("cpu") as meter:
            assert meter.watt_hours() is None
        assert "permission denied" in str(meter.reason)

    def test_the_real_codecarbon_reaches_no_network_and_writes_no_file(self, monkeypatch, tmp_path) -> None:
        pytest.importorskip("codecarbon")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))

        def refused(*_):
            raise AssertionError("energy must not use the network")

        monkeypatch.setattr("socket.socket.connect", refused)
        # As on a machine with a meter of the processor: what is read then is what this test is about.
        monkeypatch.setattr(energy, "metered", lambda _device: ("processor",))
        with EnergyMeter("cpu") as meter:
            found = meter.watt_hours()
        assert meter.reason is None
        assert found is not None
        assert found >= 0
        assert list(tmp_path.iterdir()) == []


class TestTraining:
    def test_metering_changes_no_weight(self, tmp_path) -> None:
        images = labelled_images(tmp_path)
        plain = training(images, tmp_path / "plain", detector=SmallDetector)
        metered = training(images, tmp_path / "metered", detector=SmallDetector)
        metered.energy = iter(float(k) for k in range(1, 1000)).__next__
        first, second = plain.run(), metered.run()
        assert equal(first.state, second.state)
        assert first.progress.energy_wh is None
        assert second.progress.energy_wh is not None
        assert second.progress.energy_wh > 0

    def test_a_continued_training_adds_to_what_was_metered_before(self, tmp_path) -> None:
        images = labelled_images(tmp_path)
        stops = iter([False, False, True])
        first = training(images, tmp_path / "run", detector=SmallDetector, checkpoint_seconds=0)
        first.energy, first.should_stop = lambda: 5.0, lambda: next(stops, True)
        with pytest.raises(Exception, match="stopped after"):
            first.run()
        second = training(images, tmp_path / "run", detector=SmallDetector)
        second.energy = lambda: 2.0
        assert second.run().progress.energy_wh == 7.0

    def test_what_one_process_did_not_meter_is_not_known_again(self, tmp_path) -> None:
        images = labelled_images(tmp_path)
        stops = iter([False, False, True])
        first = training(images, tmp_path / "run", detector=SmallDetector, checkpoint_seconds=0)
        first.should_stop = lambda: next(stops, True)
        with pytest.raises(Exception, match="stopped after"):
            first.run()
        second = training(images, tmp_path / "run", detector=SmallDetector)
        second.energy = lambda: 2.0
        assert second.run().progress.energy_wh is None


def test_a_gpu_is_known_to_its_meters_by_its_own_name(monkeypatch) -> None:
    from podura.detectors.devices import gpu_identity

    assert gpu_identity(torch.device("cpu")) is None
    properties = types.SimpleNamespace(uuid="8f1c")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    assert gpu_identity(torch.device("cuda", 0)) == "GPU-8f1c"
