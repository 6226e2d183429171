"""Checks of images as a whole against their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from podura.annotations.problems import Problem, few_boxes
from podura.annotations.raw import AnnotatedImage
from podura.slides.entries import ImageEntry
from podura.slides.reading import Examination, ImageHeader

#: Relative difference above which the resolution of the table and of the file are told to differ.
RESOLUTION_TOLERANCE = 0.05


def wrong_sizes(of_image: Mapping[str, AnnotatedImage], headers: Mapping[str, ImageHeader]) -> list[str]:
    """Messages on annotations that were made on another size of image than the file has."""
    faults = []
    for name, annotated in of_image.items():
        header, told = headers[name], (annotated.width, annotated.height)
        if None in told or told == header.size:
            continue
        if told == header.stored_size:
            reason = (
                "The boxes were drawn on the file without its EXIF orientation; annotate the turned "
                "image, or remove the orientation from the file."
            )
        elif told == header.size[::-1]:
            reason = "Width and height are exchanged; was the image turned after it was annotated?"
        else:
            reason = "The boxes were drawn on another version of the image; give that version."
        faults.append(
            f"{annotated.where}: the annotations of '{name}' are for {told[0]:g} × {told[1]:g} pixels, "
            f"but the image is {header.width} × {header.height}. {reason}"
        )
    return faults


def sizes_not_told(of_image: Mapping[str, AnnotatedImage]) -> list[Problem]:
    """One row for all annotations that do not tell the size of their image."""
    count = sum(image.width is None or image.height is None for image in of_image.values())
    if not count:
        return []
    return [
        Problem(
            "size_not_told",
            "note",
            "kept",
            f"the annotations of {count} images do not tell the size of the image, so it could not be "
            "compared",
            value=str(count),
        )
    ]


def image_problems(entry: ImageEntry, header: ImageHeader, annotated: AnnotatedImage | None) -> list[Problem]:
    """Faults of one image as a whole: not annotated, annotated as empty, orientation in doubt."""
    found = []
    if annotated is None:
        found.append(
            Problem(
                "not_annotated",
                "warning",
                "kept",
                "the annotations do not mention this image; it is taken as empty. Empty or forgotten?",
                image=entry.image,
            )
        )
    elif not annotated.boxes:
        found.append(
            Problem(
                "no_boxes",
                "note",
                "kept",
                "the image is annotated as empty",
                image=entry.image,
                row=annotated.where,
            )
        )
    size_tells = (
        annotated is not None
        and annotated.width is not None
        and annotated.height is not None
        and header.size != header.stored_size
    )
    if annotated is not None and annotated.boxes and header.orientation != 1 and not size_tells:
        found.append(
            Problem(
                "exif_orientation",
                "warning",
                "kept",
                "the image has an EXIF orientation, and its size does not tell whether the boxes were "
                "drawn on the turned image, as is assumed; look at them",
                image=entry.image,
                value=str(header.orientation),
            )
        )
    return found


def with_resolution(entry: ImageEntry, seen: Examination) -> ImageEntry:
    """The entry with the resolution that its file tells, where the table of images tells none."""
    return entry if entry.um_per_pixel is not None else replace(entry, um_per_pixel=seen.um_per_pixel)


def file_problems(entry: ImageEntry, seen: Examination) -> list[Problem]:
    """What there is to tell of an image file: how it was read, and whether its resolution is another."""
    found = [
        Problem(note.kind, "note", "kept", note.message, image=entry.image, value=note.value or None)
        for note in seen.notes
    ]
    table, file = entry.um_per_pixel, seen.um_per_pixel
    if table is not None and file is not None and abs(table - file) > RESOLUTION_TOLERANCE * table:
        found.append(
            Problem(
                "resolution_differs",
                "warning",
                "kept",
                f"the table of images tells {table:g} µm per pixel, the file {file:g}; the table's is taken",
                image=entry.image,
                value=f"{file:g}",
            )
        )
    return found


def suspiciously_few(of_image: Mapping[str, AnnotatedImage]) -> list[Problem]:
    """Images with far fewer boxes than the others (the rule is at ``few_boxes``)."""
    names = list(of_image)
    # Boxes of every name count: the question is whether the annotator finished the image.
    counts = [len(of_image[name].boxes) for name in names]
    return [
        Problem(
            "few_boxes",
            "warning",
            "kept",
            f"the image has {count} boxes, far fewer than the others; were animals left without a box?",
            image=name,
            row=of_image[name].where,
            value=str(count),
        )
        for name, count, few in zip(names, counts, few_boxes(counts), strict=True)
        if few
    ]
