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


def wrong_sizes(of_image: Mapping[str, AnnotatedImage], headers: Mapping[str, ImageHeader]) -> list[Problem]:
    """Images whose annotations were made on another size than the file has."""
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
            Problem(
                "wrong_size",
                f"the annotations are for {told[0]:g} × {told[1]:g} pixels, but the image is "
                f"{header.width} × {header.height}. {reason}",
                image=name,
                row=annotated.where,
                value=f"{told[0]:g} × {told[1]:g}",
            )
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
            f"the annotations of {count} images do not tell the size of the image, so it could not be "
            "compared",
            value=str(count),
        )
    ]


def image_problems(entry: ImageEntry, header: ImageHeader, annotated: AnnotatedImage | None) -> list[Problem]:
    """Faults of one image as a whole: not annotated, annotated as empty, orientation in doubt."""
    if annotated is None:
        return [
            Problem(
                "not_annotated",
                "the annotations do not mention this image, which is the same as empty from here on. Empty "
                "or forgotten?",
                image=entry.image,
            )
        ]
    if not annotated.boxes:
        return [
            Problem("no_boxes", "the image is annotated as empty", image=entry.image, row=annotated.where)
        ]
    sizes_differ = header.size != header.stored_size
    size_tells = annotated.width is not None and annotated.height is not None and sizes_differ
    if header.orientation == 1 or size_tells:
        return []
    return [
        Problem(
            "exif_orientation",
            "the image has an EXIF orientation, and its size does not tell whether the boxes were "
            "drawn on the turned image, as is assumed; look at them",
            image=entry.image,
            value=str(header.orientation),
        )
    ]


def with_resolution(entry: ImageEntry, seen: Examination) -> ImageEntry:
    """The entry with the resolution that its file tells, where the table of images tells none."""
    return entry if entry.um_per_pixel is not None else replace(entry, um_per_pixel=seen.um_per_pixel)


def file_problems(entry: ImageEntry, seen: Examination) -> list[Problem]:
    """What there is to tell of an image file: how it was read, and whether its resolution is another."""
    found = [
        Problem(note.kind, note.message, image=entry.image, value=note.value or None) for note in seen.notes
    ]
    table, file = entry.um_per_pixel, seen.um_per_pixel
    if table is not None and file is not None and abs(table - file) > RESOLUTION_TOLERANCE * table:
        found.append(
            Problem(
                "resolution_differs",
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
            f"the image has {count} boxes, far fewer than the others; were animals left without a box?",
            image=name,
            row=of_image[name].where,
            value=str(count),
        )
        for name, count, few in zip(names, counts, few_boxes(counts), strict=True)
        if few
    ]
