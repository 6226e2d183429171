"""The kinds of faults that an import finds: how grave each is, what is done about it, what may be chosen.

This catalogue is the one source: problems take severity and treatment from it, the configuration checks
``dataset.problems`` against it, the page explains kinds by it and a test compares the manual with it. It
imports nothing of weight, since the configuration reads it before every run.

Two rules decide the defaults. A faulty image or box never ends a run that could go on. A fault that would
make results wrong always does: boxes drawn on another version of an image, two annotations of one image,
a name that may be a misspelt species, one file on two slides.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from podura.errors import UserErrors

#: An error lost something or makes a result impossible, a warning needs a look, a note is for the record.
Severity = Literal["error", "warning", "note"]

#: What may be done about a fault. ``ignore``: the box stays, but counts neither for nor against a detector;
#: ``refuse``: the run stops.
Treatment = Literal["fix", "ignore", "drop", "keep", "refuse"]

#: The treatments as the table of problems tells them, when they are done.
DONE: Mapping[Treatment, str] = {
    "fix": "fixed",
    "ignore": "ignored",
    "drop": "dropped",
    "keep": "kept",
    "refuse": "refused",
}


@dataclass(frozen=True)
class Kind:
    """A kind of fault; ``treatments`` are those that may be chosen, the default first."""

    name: str
    severity: Severity
    treatments: tuple[Treatment, ...]
    meaning: str

    @property
    def default(self) -> Treatment:
        return self.treatments[0]


_DROP: tuple[Treatment, ...] = ("drop", "refuse")
_STOP: tuple[Treatment, ...] = ("refuse", "drop")
_FIX: tuple[Treatment, ...] = ("fix", "refuse")
_KEEP: tuple[Treatment, ...] = ("keep", "refuse")
_KEEP_IMAGE: tuple[Treatment, ...] = ("keep", "drop", "refuse")
_MEND_BOX: tuple[Treatment, ...] = ("fix", "ignore", "drop", "refuse")
_KEEP_BOX: tuple[Treatment, ...] = ("keep", "ignore", "drop", "refuse")

_IMAGES = (
    Kind("missing_image", "error", _DROP, "an image of the study whose file is not there"),
    Kind("empty_file", "error", _DROP, "an image file without a byte"),
    Kind("truncated_image", "error", _DROP, "an image file that is cut off"),
    Kind("unreadable_image", "error", _DROP, "an image file that cannot be opened or decoded"),
    Kind("too_large_image", "error", _DROP, "more than 2 gigapixels in a format that is decoded as a whole"),
    Kind("same_file", "error", _DROP, "one file under two names, on one slide; the annotated one stays"),
    Kind("same_file_two_slides", "error", _STOP, "one file under two names, on two slides: which is right?"),
    Kind("wrong_size", "error", _STOP, "annotations that were made on another size of the image"),
    Kind("annotated_twice", "error", _STOP, "several annotations of one image; drop keeps the first"),
    Kind("image_not_in_study", "warning", _DROP, "annotations of an image that the study does not list"),
    Kind("not_annotated", "warning", _KEEP_IMAGE, "the annotations do not mention the image; taken as empty"),
    Kind("no_boxes", "note", _KEEP_IMAGE, "the image is annotated as empty"),
    Kind(
        "few_boxes",
        "warning",
        _KEEP_IMAGE,
        "far fewer boxes than in the other images: were animals left without a box?",
    ),
    Kind(
        "exif_orientation",
        "warning",
        _KEEP_IMAGE,
        "a turned image whose size does not tell whether the boxes are turned as well, as is assumed",
    ),
    Kind("several_pages", "note", _KEEP_IMAGE, "further pages, times or depths of a file are not read"),
    Kind(
        "channels_chosen",
        "note",
        _KEEP_IMAGE,
        "channels are shown as colours, three at most",
    ),
    Kind("scaled_16_bit", "note", _KEEP_IMAGE, "values of 16 bits are stretched"),
    Kind(
        "scaled_grey",
        "note",
        _KEEP_IMAGE,
        "values that have neither 8 nor 16 bits are stretched",
    ),
    Kind("missing_tiles", "note", _KEEP_IMAGE, "the file lacks tiles; they are taken as 0"),
    Kind(
        "resolution_differs",
        "warning",
        _KEEP_IMAGE,
        "um_per_pixel of the table and of the file differ by more than 5 %; the table's is taken",
    ),
    Kind("size_not_told", "note", _KEEP, "annotations that do not tell the size of their image"),
)

_BOXES = (
    Kind("not_a_number", "error", _DROP, "a box with a coordinate that is missing or no finite number"),
    Kind("negative_size", "error", _DROP, "a box with a negative width or height"),
    Kind("zero_area", "error", _DROP, "a box without area"),
    Kind("outside_image", "error", _DROP, "a box wholly outside its image"),
    Kind("partly_outside", "warning", _MEND_BOX, "a box that reaches over the edge; it is cut there"),
    Kind(
        "swapped_corners",
        "warning",
        _MEND_BOX,
        "a box whose right lies before its left or whose lower before its upper edge; put in order",
    ),
    Kind("duplicate_box", "warning", _DROP, "the same box of the same species twice"),
    Kind(
        "near_duplicate",
        "warning",
        ("drop", "ignore", "keep", "refuse"),
        "almost the same box of the same species twice (IoU above 0.9)",
    ),
    Kind(
        "overlapping_boxes",
        "warning",
        _KEEP_BOX,
        "two boxes of one species that share most of their area (IoU above 0.8): one animal or two?",
    ),
    Kind(
        "two_species",
        "warning",
        ("keep", "ignore", "refuse"),
        "two species at one place (IoU above 0.9); ignore takes both out of the count",
    ),
    Kind(
        "tiny_box",
        "warning",
        _KEEP_BOX,
        "a box far too small for an animal: a side below 3 pixels, or less than 1/400 of the median area of "
        "its species (told from 20 boxes on)",
    ),
    Kind(
        "unusual_size",
        "warning",
        _KEEP_BOX,
        "a box far smaller or larger than the others of its species: is the name right?",
    ),
    Kind("covers_image", "warning", _KEEP_BOX, "a box that covers 98 % of its image or more"),
    Kind("flagged", "note", ("ignore", "keep", "drop", "refuse"), "a box with a flag of ignore_flags"),
)

_SPECIES = (
    Kind("unknown_name", "error", _STOP, "a name in the annotations that no species has"),
    Kind("other_name", "note", _DROP, "an animal that is known and is no species of the study"),
    Kind("no_specimen", "error", _KEEP, "a species of the study without any box that counts"),
    Kind("few_specimens", "warning", _KEEP, "a species with fewer than 20 boxes or on fewer than 4 slides"),
)

_FORMATS = (
    Kind("duplicate_id", "note", _FIX, "COCO: an id given twice; ids are given anew"),
    Kind("no_such_image", "error", _DROP, "COCO: a box of an image that the file does not have"),
    Kind("box_of_segmentation", "warning", _FIX, "COCO: no usable bbox; the tight box of the segmentation"),
    Kind("unread_segmentation", "error", _DROP, "a mask or brush stroke from which no box follows"),
    Kind("shape_without_area", "error", _DROP, "a point, line or skeleton"),
    Kind("unknown_shape", "error", _DROP, "a shape of a kind that is not read"),
    Kind(
        "filename_differs", "warning", _KEEP, "VOC, LabelMe: the file names another image than its own name"
    ),
    Kind("joined_group", "note", _KEEP, "LabelMe: a piece of an animal that another shape began"),
    Kind("flags_of_file", "note", _KEEP, "LabelMe: the file as a whole is marked, so every shape in it is"),
    Kind("outside_view", "note", _DROP, "CVAT: a shape marked as outside the picture"),
    Kind("track", "error", _DROP, "CVAT: a track of a video"),
    Kind("not_normalised", "error", _DROP, "YOLO: coordinates that are no shares of the image"),
    Kind("no_label_folder", "error", _DROP, "YOLO: a part of the data YAML without a folder of labels"),
    Kind("path_not_found", "note", _FIX, "YOLO: path does not exist; the folder of the data YAML is taken"),
    Kind("leaves_folder", "error", _DROP, "YOLO: a listed image outside the data set"),
    Kind("cancelled_annotation", "note", _DROP, "Label Studio: annotations that were cancelled"),
    Kind("several_annotations", "warning", _DROP, "Label Studio: further annotations of a task"),
    Kind("task_not_annotated", "warning", _DROP, "Label Studio: a task without an annotation that counts"),
    Kind("turned_view", "error", _DROP, "Label Studio: a region drawn while the image was turned"),
    Kind("other_separator", "note", _FIX, "CSV: columns that are not separated by commas"),
    Kind("decimal_comma", "warning", _FIX, "CSV: numbers with a decimal comma"),
)

#: Every kind by its name, in the order of the manual.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (*_IMAGES, *_BOXES, *_SPECIES, *_FORMATS)}


def misfit(kind: object, treatment: object) -> str | None:
    """What is wrong with a treatment chosen for a kind and what to write instead; None if nothing is."""
    if kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        meant = f" Is '{near[0]}' meant?" if near else ""
        return (
            f"there is no kind of fault '{kind}'.{meant} Write one of the kinds that config/README.md lists "
            "under dataset/problems.csv."
        )
    possible = KINDS[str(kind)].treatments
    if treatment in possible:
        return None
    known = treatment in get_args(Treatment)
    reason = f"cannot be the treatment of {kind}" if known else "is no treatment"
    return f"'{treatment}' {reason}. Write {', '.join(possible[:-1])} or {possible[-1]}."


def treatments(chosen: Mapping[str, str]) -> dict[str, Treatment]:
    """The treatment of every kind: the chosen one, else the default.

    Raises UserErrors for a kind that does not exist and a treatment that it cannot have.
    """
    faults = [f"dataset.problems: {fault}" for k, t in chosen.items() if (fault := misfit(k, t))]
    if faults:
        raise UserErrors(faults)
    return {
        name: next((possible for possible in kind.treatments if possible == chosen.get(name)), kind.default)
        for name, kind in KINDS.items()
    }
