"""The tables that compare models with each other."""

from __future__ import annotations

from podura.tables.table import Column, Table

BENCHMARK_COMPARISONS = Table(
    "benchmark_comparisons",
    "one row a pair of detectors, the one with the higher mAP50:95 first",
    (
        Column("model", "string", "the model with the higher mAP50:95"),
        Column("other", "string", "the model that it is compared with"),
        Column("difference", "number", "map50_95 of the model less that of the other"),
        Column("difference_low", "number", "lower end of its interval over slides and seeds"),
        Column("difference_high", "number", "upper end of its interval over slides and seeds"),
        Column("joint_low", "number", "lower end of the interval that holds for all pairs at once"),
        Column("joint_high", "number", "upper end of the interval that holds for all pairs at once"),
        Column("chance_better", "number", "share of the resamples in which the model is better (ties half)"),
        Column("verdict", "string", "better if the joint interval is above 0, otherwise undecided"),
        Column("map50_difference", "number", "map50 of the model less that of the other"),
        Column("map50_difference_low", "number", "lower end of its interval"),
        Column("map50_difference_high", "number", "upper end of its interval"),
        Column("statement", "string", "the row as a sentence"),
    ),
)

BENCHMARK_RANKS = Table(
    "benchmark_ranks",
    "one row a detector × rank: the chance of the rank by mAP50:95",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("rank", "integer", "rank, from 1"),
        Column("chance", "number", "share of the resamples of slides and seeds in which it has this rank"),
    ),
)
