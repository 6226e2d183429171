"""Energy that a job took, where the machine has a meter for it: never an estimate.

codecarbon reads the meters of processors (RAPL) and of graphics cards (NVML). Where there is none it would
put typical powers in their place; such numbers are not taken.
"""

from __future__ import annotations

import logging
import os
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)

#: Seconds between two looks at the meters, which count round and must not do so unseen.
_EVERY = 10.0


class EnergyMeter:
    """The energy since it was entered, of all that the machine's meters can see.

    A processor's meter counts what other programs on it take as well; a graphics card is this job's own.
    device: as PyTorch names it (``cpu``, ``cuda``, ``mps``); gpu: the identity of the card, where there is
    one. ``sources`` names what is metered, ``reason`` why nothing is. A job must not fail for want of a
    number: whatever goes wrong is a reason.
    """

    def __init__(self, device: str = "cpu", gpu: str | None = None) -> None:
        self._gpu, self._tracker, self._last = gpu, None, None
        self.sources: tuple[str, ...] = ()
        self.reason: str | None = None
        try:
            self.sources = metered(device)
        except ImportError:
            self.reason = "codecarbon is not installed"
        except Exception as error:
            self.reason = f"the meters cannot be asked ({type(error).__name__})"
        else:
            if not self.sources:
                self.reason = "no meter of energy can be read on this machine"

    def __enter__(self) -> EnergyMeter:
        if self.sources:
            try:
                self._tracker, self._last = _started(self._gpu)
            except Exception as error:
                self._give_up(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracker is not None:
            try:
                self._tracker.stop()
            except Exception as fault:
                self._give_up(fault)
            self._tracker = None

    def watt_hours(self) -> float | None:
        """Energy so far in Wh; None where it is not metered."""
        if self._tracker is None:
            return None
        try:
            self._tracker.flush()
            total = self._last.total
            found = {"processor": total.cpu_energy, "graphics card": total.gpu_energy}
            return 1000.0 * sum(float(found[source]) for source in self.sources)
        except Exception as error:
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        self._tracker = None
        self.sources = ()
        self.reason = f"the meters failed ({type(error).__name__}: {error})"
        log.warning("Energy is not measured: %s.", self.reason)


def energy_facts(watt_hours: float | None, meter: EnergyMeter) -> dict[str, Any]:
    """What a job's file says of its energy: in Wh, with what was metered, or why it is not known."""
    if watt_hours is not None:
        return {"energy_wh": watt_hours, "energy_metered": list(meter.sources), "energy_unknown": None}
    reason = meter.reason or "an earlier part of the job was not metered"
    return {"energy_wh": None, "energy_metered": [], "energy_unknown": reason}


def metered(device: str) -> tuple[str, ...]:
    """What of this machine has a meter that this process may read. Raises ImportError without codecarbon."""
    from codecarbon.core.cpu import is_rapl_available
    from codecarbon.core.gpu import is_gpu_details_available

    # It warns of meters that it may not read, which is no fault of the user's.
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    processor = ("processor",) if is_rapl_available() else ()
    # A job on a graphics card whose meter is not seen would look cheaper than one on a processor.
    if device.startswith("cuda"):
        return (*processor, "graphics card") if is_gpu_details_available() else ()
    return processor if device.startswith("cpu") else ()


def _started(gpu: str | None) -> tuple[Any, Any]:
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.output_methods.base_output import BaseOutput

    class Last(BaseOutput):
        """What the tracker told last."""

        total: Any = None

        def out(self, total: Any, delta: Any) -> None:
            self.total = total

    last = Last()
    for name in [name for name in os.environ if name.upper().startswith("CODECARBON_")]:
        # Only of this process: settings of a user's own could send numbers somewhere or force an estimate.
        del os.environ[name]
    tracker = OfflineEmissionsTracker(
        country_iso_code="FRA",  # it wants one; no emission is told
        force_carbon_intensity_g_co2e_kwh=1.0,
        electricitymaps_api_token=None,
        emissions_endpoint=None,
        output_methods=[],
        output_handlers=[last],
        force_cpu_power=None,
        force_mode_cpu_load=False,
        tracking_mode="machine",
        gpu_ids=None if gpu is None else [gpu],
        allow_multiple_runs=True,
        measure_power_secs=_EVERY,
        pue=1.0,
        log_level="error",
    )
    tracker.start()
    return tracker, last
