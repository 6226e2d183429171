"""Tables of what lives in the samples of a survey: counts, abundance, densities, diversity."""

from __future__ import annotations

from collections.abc import Sequence

from podura.tables.survey import SURVEY_DETECTIONS
from podura.tables.table import Column, Table

_COMPLETE = Column(
    "sample_complete",
    "boolean",
    "whether all images of the sample were read and none reached the cap; else figures are for those read",
)
_CONFIDENCE = Column("confidence", "number", "confidence of the interval")

SURVEY_FINAL_DETECTIONS = Table(
    "survey_final_detections",
    "one row a detection of the survey, and one an animal that a person added",
    (
        *(
            Column(column.name, column.kind, column.description, column.unit, optional=True)
            for column in SURVEY_DETECTIONS.columns
        ),
        Column(
            "taxon",
            "string",
            "what it is called: species code, genus with sp., or group; missing if it is likely no animal",
            optional=True,
        ),
        Column("taxon_rank", "string", "species, genus or group", optional=True),
        Column("taxon_reason", "string", "why, in words"),
        Column(
            "decision",
            "string",
            "what a person decided: accept, species (another one), reject, unsure or add (was missed)",
            optional=True,
        ),
        Column("decided_species", "string", "species that the person gave", optional=True),
        Column("reviewer", "string", "who decided", optional=True),
        Column("decided_at", "string", "when, in UTC", optional=True),
        Column(
            "final_species",
            "string",
            "the decided species, else that of an accepted detection without conflict; missing otherwise",
            optional=True,
        ),
        Column(
            "same_animal_as",
            "string",
            "better detection, of another species, on the same place: the exports hold the animal once, as "
            "that",
            optional=True,
        ),
    ),
)

SURVEY_COUNTS = Table(
    "survey_counts",
    "one row a sample × species, zeros included",
    (
        Column("sample", "string", "sample"),
        Column("species", "string", "species code"),
        Column("n_detections", "integer", "detections of the species at or above the score floor"),
        Column("counted", "integer", "those at or above the score from which the species is counted"),
        Column(
            "accepted",
            "integer",
            "detections that are finally of this species (by its certified threshold, or by a person) "
            "and animals added; missing where there is neither a certified threshold nor an animal so found",
            optional=True,
        ),
        Column("verified", "integer", "animals of this species that people confirmed or added"),
        Column(
            "estimate", "number", "estimated animals on the images that were read; missing without evidence"
        ),
        Column("low", "number", "lower end of the interval of the animals on these images"),
        Column("high", "number", "upper end of it"),
        _CONFIDENCE,
        Column(
            "method",
            "string",
            "calibration (corrected by the annotated slides), pooled (these show no such animal, so it is "
            "corrected as the mean of all species), reviewed (from random checks of detections and images), "
            "reviewed_detections (from checks of detections; what is missed from the annotated slides), "
            "verified (all was checked) or none (there is no evidence)",
        ),
        Column("reviewed", "integer", "detections of the species that people have decided on"),
        Column("searched_images", "integer", "images of the sample that people searched as a whole"),
        Column("certified", "boolean", "whether the species has a certified threshold"),
        _COMPLETE,
        Column("wished_width", "number", "wished width of the interval, as a share of the estimate"),
        Column(
            "more_detections",
            "integer",
            "about how many more detections of the sample, at random, bring the wished width; 0 if reached",
        ),
        Column("more_images", "integer", "about how many more of its images are to be searched as well"),
    ),
)

SURVEY_DENSITIES = Table(
    "survey_densities",
    "one row a sample × species × unit that the sample's area, volume or mass allows",
    (
        Column("sample", "string", "sample"),
        Column("species", "string", "species code"),
        Column("per", "string", "m2, 100_cm3 or g"),
        Column("accepted", "number", "accepted animals per unit", optional=True),
        Column("estimate", "number", "estimated animals per unit"),
        Column("low", "number", "lower end of its interval"),
        Column("high", "number", "upper end of its interval"),
        _CONFIDENCE,
        _COMPLETE,
    ),
)

SURVEY_DIVERSITY = Table(
    "survey_diversity",
    "one row a sample × basis × index",
    (
        Column("sample", "string", "sample"),
        Column("basis", "string", "accepted (detections and animals finally accepted) or estimated"),
        Column(
            "index",
            "string",
            "richness, shannon (natural logarithm), simpson (1 - D), or Hill numbers hill_0, hill_1, hill_2",
        ),
        Column("value", "number", "the index; missing for a sample without animals, except richness"),
        Column("low", "number", "lower end of its interval; missing for accepted ones"),
        Column("high", "number", "upper end of its interval"),
        _CONFIDENCE,
        _COMPLETE,
    ),
)

SURVEY_SAMPLE_CHECKS = Table(
    "survey_sample_checks",
    "one row a sample: what people have checked of it",
    (
        Column("sample", "string", "sample"),
        Column("n_detections", "integer", "detections at or above the score floor"),
        Column("checked", "integer", "detections that people have decided on"),
        Column("checked_random", "integer", "those of the random part, without unsure ones"),
        Column("n_images", "integer", "images that were read"),
        Column("searched", "integer", "images that people searched as a whole"),
        Column("added", "integer", "missed animals that people added"),
        Column("reviewers", "string", "who decided, separated by |", optional=True),
        Column("last_decision", "string", "when the last decision was made, in UTC", optional=True),
    ),
)

#: What abundance.csv writes behind the name of a sample that is not complete.
INCOMPLETE = " (incomplete)"


def abundance_table(species: Sequence[str], *, estimated: bool) -> Table:
    """The table of abundance of these species: a row a sample, a column a species."""
    return Table(
        "survey_abundance_estimated" if estimated else "survey_abundance",
        "one row a sample, one column a species",
        (
            Column(
                "sample", "string", f"sample; '{INCOMPLETE.strip()}' stands behind one that is not complete"
            ),
            *(
                Column(
                    code,
                    "number" if estimated else "integer",
                    "animals, 0 where there are none",
                    optional=True,
                )
                for code in species
            ),
        ),
    )


PUBLIC_COUNT_TABLES = (
    SURVEY_FINAL_DETECTIONS,
    SURVEY_COUNTS,
    SURVEY_DENSITIES,
    SURVEY_DIVERSITY,
    SURVEY_SAMPLE_CHECKS,
)
