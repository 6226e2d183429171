"""Columns of the benchmark's tables."""

from __future__ import annotations

from podura.tables.table import Column, Table

_EMPIRICAL = (
    Column(
        "threshold_empirical",
        "number",
        "lowest score at which the calibration slides reach the target: common practice, no certificate",
    ),
    Column("test_precision_empirical", "number", "precision on test at the empirical threshold"),
    Column("test_recall_empirical", "number", "recall on test at the empirical threshold"),
)

BENCHMARK_SPECIES = Table(
    "benchmark_species",
    "one row a model × seed × species",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("seed", "integer", "seed of the run; 0 where it fuses the runs of all seeds"),
        Column("species", "string", "species code"),
        Column("n_slides", "integer", "test slides with this species"),
        Column("n_truth", "integer", "test specimens (ignored ones aside)"),
        Column("n_detections", "integer", "test detections of this species above the floor"),
        Column("ap50", "number", "average precision at IoU 0.5, COCO's 101 points"),
        Column("ap50_95", "number", "average precision, mean over IoU 0.50:0.95, COCO's 101 points"),
        Column("ap50_voc", "number", "average precision at IoU 0.5, all points (VOC 2010)"),
        Column("ap50_low", "number", "lower end of the interval of ap50 over slides"),
        Column("ap50_high", "number", "upper end of the interval of ap50 over slides"),
        Column(
            "threshold",
            "number",
            "certified score threshold; missing where none is certified; with folds the middle one of the "
            "folds, each of which is used on its own test slides",
        ),
        Column("threshold_status", "string", "certified, needs_more or failed"),
        Column(
            "calibration_n",
            "integer",
            "calibration detections at or above the threshold; where none is certified, at or above the "
            "candidate that was tested first",
        ),
        Column("calibration_errors", "integer", "those of them that are wrong"),
        Column("calibration_slides", "integer", "slides on which they lie"),
        Column(
            "deff",
            "number",
            "design effect: so many times less they tell because errors cluster by slide; missing where "
            "one slide cannot tell",
        ),
        Column(
            "precision_lower",
            "number",
            "one-sided lower bound of their precision, with clustering, at the confidence 1 - delta",
        ),
        Column("needs_about", "integer", "for needs_more: about so many more accepted detections would do"),
        Column("needs_slides", "integer", "for needs_more: on about so many more calibration slides"),
        Column("test_precision", "number", "precision on test at the certified threshold"),
        Column("test_precision_low", "number", "lower end of its interval over slides"),
        Column("test_precision_high", "number", "upper end of its interval over slides"),
        Column("test_recall", "number", "recall on test at the certified threshold"),
        Column("test_recall_low", "number", "lower end of its interval over slides"),
        Column("test_recall_high", "number", "upper end of its interval over slides"),
        *_EMPIRICAL,
    ),
)

BENCHMARK_FOLDS = Table(
    "benchmark_folds",
    "one row a model × seed × fold × species: the test slides of one fold",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("seed", "integer", "seed of the run; 0 where it fuses the runs of all seeds"),
        Column("fold", "integer", "fold, 0 where there are no folds"),
        Column("species", "string", "species code"),
        Column("n_slides", "integer", "test slides of the fold with this species"),
        Column("n_truth", "integer", "test specimens (ignored ones aside)"),
        Column("n_detections", "integer", "test detections of this species above the floor"),
        Column("ap50", "number", "average precision at IoU 0.5 on the fold's test slides"),
        Column("ap50_95", "number", "average precision, mean over IoU 0.50:0.95"),
        Column("threshold", "number", "certified score threshold; missing where none is certified"),
        Column("threshold_status", "string", "as in species.csv"),
        Column("calibration_n", "integer", "as in species.csv"),
        Column("calibration_errors", "integer", "those of them that are wrong"),
        Column("calibration_slides", "integer", "slides on which they lie"),
        Column("deff", "number", "design effect, as in species.csv"),
        Column("precision_lower", "number", "one-sided lower bound of their precision"),
        Column("needs_about", "integer", "as in species.csv"),
        Column("needs_slides", "integer", "as in species.csv"),
        Column("test_n", "integer", "test detections at or above the threshold"),
        Column("test_errors", "integer", "those of them that are wrong"),
        Column("test_precision", "number", "precision on the fold's test slides at the threshold"),
        Column("test_recall", "number", "recall on the fold's test slides at the threshold"),
        *_EMPIRICAL,
    ),
)

BENCHMARK_MODELS = Table(
    "benchmark_models",
    "one row a model, all seeds together",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("label", "string", "name for figures and tables"),
        Column("role", "string", "detector or control"),
        Column("rank", "integer", "rank by map50_95 among detectors; missing for controls"),
        Column("chance_best", "number", "chance to be the best detector, from resamples of slides and seeds"),
        Column("n_seeds", "integer", "seeds run; 1 where the runs of all seeds are fused"),
        Column("n_species", "integer", "species with truth on test, over which the mean is taken"),
        Column("map50", "number", "mAP at IoU 0.5: mean over species, then over seeds"),
        Column("map50_low", "number", "lower end of its interval over slides and seeds"),
        Column("map50_high", "number", "upper end of its interval over slides and seeds"),
        Column("map50_seed_min", "number", "lowest mAP at IoU 0.5 of a seed"),
        Column("map50_seed_max", "number", "highest mAP at IoU 0.5 of a seed"),
        Column("map50_seed_sd", "number", "standard deviation over seeds; missing for one seed"),
        Column("map50_95", "number", "mAP at IoU 0.50:0.95"),
        Column("map50_95_low", "number", "lower end of its interval over slides and seeds"),
        Column("map50_95_high", "number", "upper end of its interval over slides and seeds"),
        Column("map50_95_seed_sd", "number", "standard deviation over seeds; missing for one seed"),
        Column(
            "parameters",
            "integer",
            "trainable and fixed parameters, of an ensemble those of all runs that it fuses; missing for "
            "controls",
        ),
        Column("framework", "string", "adapter of the model; ensemble for one that fuses others"),
        Column("licence", "string", "licence of the model's code, of an ensemble those of its members"),
        Column(
            "training_seconds",
            "number",
            "mean time of training a seed, of an ensemble of all that it fuses together",
            "s",
        ),
        Column("detection_seconds", "number", "mean time to detect in one test image", "s"),
        Column("peak_memory_mb", "number", "highest peak memory in training", "MB"),
    ),
)

CURVES = Table(
    "curves",
    "precision-recall curves on test, one row a point",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("seed", "integer", "seed of the run; 0 where it fuses the runs of all seeds"),
        Column("species", "string", "species code"),
        Column("recall", "number", "recall of the detections at or above the score"),
        Column("precision", "number", "their precision"),
        Column("score", "number", "score"),
    ),
)
