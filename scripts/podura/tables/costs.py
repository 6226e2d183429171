"""What detectors cost: time, memory, energy and size."""

from __future__ import annotations

from podura.tables.table import Column, Table

BENCHMARK_COSTS = Table(
    "benchmark_costs",
    "one row a detector: what training and detection took",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("n_runs", "integer", "runs (seeds, with folds each of them) that the means are taken over"),
        Column("n_fused", "integer", "trained models in a run: 1, of an ensemble all that it fuses"),
        Column(
            "parameters", "integer", "trainable and fixed parameters, of an ensemble of all that it fuses"
        ),
        Column("model_mb", "number", "size of its weights as a file, of an ensemble of all of them", "MB"),
        Column("device", "string", "what it was trained on; several separated by ;"),
        Column("processor", "string", "processor of the machine that trained it; several separated by ;"),
        Column("cores", "string", "cores that this machine has; several separated by ;"),
        Column("training_seconds", "number", "mean time of a training with its validation", "s"),
        Column("training_images", "number", "mean number of images that the steps of a training counted"),
        Column("training_images_per_second", "number", "images trained on, validation aside", "1/s"),
        Column("training_memory_mb", "number", "highest peak of a training, with its loaders", "MB"),
        Column("training_gpu_memory_mb", "number", "highest peak on the GPU; missing without one", "MB"),
        Column(
            "training_energy_wh",
            "number",
            "mean energy of a training, by the machine's meters; missing where they cannot be read",
            "Wh",
        ),
        Column("detection_images", "integer", "test images detected in, all runs together"),
        Column("detection_seconds", "number", "mean time to detect in one test image, with its reading", "s"),
        Column("detection_images_per_second", "number", "test images in a second", "1/s"),
        Column(
            "detection_megapixels_per_second", "number", "megapixels of these, as files hold them", "MP/s"
        ),
        Column("detection_memory_mb", "number", "highest peak of a detection", "MB"),
        Column("detection_gpu_memory_mb", "number", "highest peak on the GPU; missing without one", "MB"),
        Column(
            "detection_energy_wh",
            "number",
            "mean energy to detect in 1000 test images, by the machine's meters; missing without them",
            "Wh",
        ),
        Column("energy_status", "string", "measured, partly measured or not measurable"),
        Column(
            "energy_note",
            "string",
            "what was metered, other programs on the processor included, or why nothing was",
        ),
    ),
)
