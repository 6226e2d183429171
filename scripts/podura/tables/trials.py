"""Columns of the table that a search of a model's settings leaves."""

from __future__ import annotations

from podura.tables.table import Column, Table

TRIALS = Table(
    "trials",
    "one row a trial of the search of a model's settings",
    (
        Column("trial", "integer", "trial, from 1; the first has the settings of the model's entry"),
        Column("state", "string", "finished, or failed where the loss was not finite"),
        Column("learning_rate", "number", "highest learning rate"),
        Column("weight_decay", "number", "pull of the weights towards zero"),
        Column("warmup", "number", "share of all steps in which the learning rate rises"),
        Column("average_decay", "number", "weight of the past in the average of the weights"),
        Column("validation_map50", "number", "mAP at IoU 0.5 on validation; missing where the trial failed"),
        Column(
            "validation_map50_95", "number", "mAP at IoU 0.50:0.95 on validation; the best trial's counts"
        ),
        Column("best", "boolean", "whether the models of the study are trained with these settings"),
        Column("seconds", "number", "time of the trial; missing where it failed", "s"),
        Column("message", "string", "why the trial failed", optional=True),
    ),
)
