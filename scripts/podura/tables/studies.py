"""The table that puts the results of two studies side by side."""

from __future__ import annotations

from podura.tables.table import Column, Table

COMPARED_STUDIES = Table(
    "compared_studies",
    "one row a pair of detectors (one of each study) and shared species; first that of all of them",
    (
        Column("model", "string", "model of this study"),
        Column("other", "string", "model of the other study"),
        Column("species", "string", "species code; missing for the mean over all shared species"),
        Column("paired", "boolean", "whether both were tested on the same slides with the same truth"),
        Column("n_slides", "integer", "test slides of this study that count"),
        Column("other_n_slides", "integer", "those of the other study; the same slides where paired"),
        Column("n_truth", "integer", "specimens on them (ignored ones aside)"),
        Column("other_n_truth", "integer", "specimens on those of the other study"),
        Column("n_seeds", "integer", "seeds of the model"),
        Column("other_n_seeds", "integer", "seeds of the other model"),
        Column("ap50_95", "number", "average precision at IoU 0.50:0.95 on these slides, mean over seeds"),
        Column("other_ap50_95", "number", "that of the other model on its slides"),
        Column("difference", "number", "ap50_95 less that of the other"),
        Column("difference_low", "number", "lower end of its interval over slides and seeds"),
        Column("difference_high", "number", "upper end of its interval over slides and seeds"),
        Column("verdict", "string", "better, worse or undecided, of this pair and species by itself"),
        Column("ap50", "number", "average precision at IoU 0.5"),
        Column("other_ap50", "number", "that of the other model"),
        Column("ap50_difference", "number", "ap50 less that of the other"),
        Column("ap50_difference_low", "number", "lower end of its interval"),
        Column("ap50_difference_high", "number", "upper end of its interval"),
    ),
)
