"""Columns, types and units of every table that Podura reads or writes, and how they are written.

A table between stages is Parquet; a table for people is CSV (UTF-8, comma, header) or, where people
write it, TSV. Every writer is atomic (a file appears whole or not at all) and deterministic.
"""

from podura.tables.benchmark import BENCHMARK_FOLDS, BENCHMARK_MODELS, BENCHMARK_SPECIES, CURVES
from podura.tables.catalogue import (
    BOX_COLUMNS,
    DETECTIONS,
    HISTORY,
    IMAGES,
    IOU_PERCENTS,
    MATCHES,
    PART_IMAGES,
    PARTS,
    PICTURES,
    PROBLEMS,
    PUBLIC_TABLES,
    SITE_COUNTS,
    SIZES,
    SLIDE_COUNTS,
    SPECIES,
    SPLIT,
    SPLIT_REPORT,
)
from podura.tables.comparisons import BENCHMARK_COMPARISONS, BENCHMARK_RANKS
from podura.tables.diagnosis import (
    BENCHMARK_BY_EDGE,
    BENCHMARK_BY_SIZE,
    BENCHMARK_CONFUSION,
    BENCHMARK_ERRORS,
    BENCHMARK_RELIABILITY,
    BENCHMARK_SUSPECTS,
    DIAGNOSES,
)
from podura.tables.files import (
    read_json,
    whole_file,
    whole_folder,
    write_json,
    write_json_records,
    write_text,
)
from podura.tables.pairs import EXAMINED_IMAGES, LEAKAGE, SIMILAR_IMAGES
from podura.tables.people import (
    ALL_SPECIES,
    BENCHMARK_PEOPLE,
    EXPERT_BOXES,
    EXPERT_IMAGES,
    PEOPLE_CURVES,
)
from podura.tables.places import (
    ALL_SEEDS,
    part_folder,
    run_folder,
    seed_folder,
    seed_name,
    seed_number,
)
from podura.tables.table import Column, Kind, Table
from podura.tables.trials import TRIALS

__all__ = [
    "ALL_SEEDS",
    "ALL_SPECIES",
    "BENCHMARK_BY_EDGE",
    "BENCHMARK_BY_SIZE",
    "BENCHMARK_COMPARISONS",
    "BENCHMARK_CONFUSION",
    "BENCHMARK_ERRORS",
    "BENCHMARK_FOLDS",
    "BENCHMARK_MODELS",
    "BENCHMARK_PEOPLE",
    "BENCHMARK_RANKS",
    "BENCHMARK_RELIABILITY",
    "BENCHMARK_SPECIES",
    "BENCHMARK_SUSPECTS",
    "BOX_COLUMNS",
    "CURVES",
    "DETECTIONS",
    "DIAGNOSES",
    "EXAMINED_IMAGES",
    "EXPERT_BOXES",
    "EXPERT_IMAGES",
    "HISTORY",
    "IMAGES",
    "IOU_PERCENTS",
    "LEAKAGE",
    "MATCHES",
    "PARTS",
    "PART_IMAGES",
    "PEOPLE_CURVES",
    "PICTURES",
    "PROBLEMS",
    "PUBLIC_TABLES",
    "SIMILAR_IMAGES",
    "SITE_COUNTS",
    "SIZES",
    "SLIDE_COUNTS",
    "SPECIES",
    "SPLIT",
    "SPLIT_REPORT",
    "TRIALS",
    "Column",
    "Kind",
    "Table",
    "part_folder",
    "read_json",
    "run_folder",
    "seed_folder",
    "seed_name",
    "seed_number",
    "whole_file",
    "whole_folder",
    "write_json",
    "write_json_records",
    "write_text",
]
