"""The corpus of broken inputs: what is spoilt, and the rows or the refusal that must follow."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tifffile

from broken_inputs import SIZE, SIZE_ROW, WITHOUT_SIZE, WRITERS, Laboratory, Row, sound_boxes
from format_writers import Drawn, DrawnImage, label_studio_task

NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """``rows`` are all that the table must hold; ``words`` those of the refusal, if the run must stop."""

    name: str
    spoil: Callable[[Laboratory], None]
    rows: tuple[Row, ...] = ()
    words: tuple[str, ...] = ()
    kind: str = "coco"
    images: int = 6
    lost: int = 0  # boxes that are not in the data set although they were drawn
    n: int = 6

    @property
    def expected(self) -> list[Row]:
        base = [SIZE_ROW] if self.kind in WITHOUT_SIZE and (self.rows or not self.words) else []
        return sorted([*self.rows, *base], key=str)


CASES: dict[str, Case] = {}


def case(name: str, *rows: Row, **more: object) -> Callable[[Callable[[Laboratory], None]], None]:
    """Add what the function spoils to the corpus."""

    def add(spoil: Callable[[Laboratory], None]) -> None:
        words = more.pop("words", ())
        words = (words,) if isinstance(words, str) else words
        assert name not in CASES
        CASES[name] = Case(name, spoil, rows, words, **more)  # type: ignore[arg-type]

    return add


# --- images ----------------------------------------------------------------------------------------


@case("an image is missing", ("missing_image", "error", "dropped", "b.png"), images=5, lost=8)
def _(lab):
    lab.write()
    (lab.folder / "b.png").unlink()


@case("an image has another case", ("missing_image", "error", "dropped", "B.PNG"), images=5, lost=8)
def _(lab):
    lab.images[2][0] = "B.PNG"
    lab.drawn[1] = replace(lab.drawn[1], name="B.PNG")
    lab.write()
    (lab.folder / "B.PNG").rename(lab.folder / "b.Png")


@case("a link leads nowhere", ("missing_image", "error", "dropped", "b.png"), images=5, lost=8)
def _(lab):
    lab.write()
    (lab.folder / "b.png").unlink()
    (lab.folder / "b.png").symlink_to(lab.folder / "nowhere.png")


@case("an image is empty", ("empty_file", "error", "dropped", "c.png"), images=5, lost=8)
def _(lab):
    lab.write()
    (lab.folder / "c.png").write_bytes(b"")


@case("an image is cut off", ("truncated_image", "error", "dropped", "c.png"), images=5, lost=8)
def _(lab):
    lab.write()
    content = (lab.folder / "c.png").read_bytes()
    (lab.folder / "c.png").write_bytes(content[: len(content) // 2])


@case("an image is no image", ("unreadable_image", "error", "dropped", "c.png"), images=5, lost=8)
def _(lab):
    lab.write()
    (lab.folder / "c.png").write_text("this is a text, not an image")


@case(
    "a folder has the name of an image", ("unreadable_image", "error", "dropped", "c.png"), images=5, lost=8
)
def _(lab):
    lab.write()
    (lab.folder / "c.png").unlink()
    (lab.folder / "c.png").mkdir()


@case(
    "images are missing, empty and unreadable at once",
    ("missing_image", "error", "dropped", "a.png"),
    ("empty_file", "error", "dropped", "b.png"),
    ("unreadable_image", "error", "dropped", "c.png"),
    ("few_specimens", "warning", "kept", None),
    ("few_specimens", "warning", "kept", None),
    images=3,
    lost=24,
)
def _(lab):
    lab.write()
    (lab.folder / "a.png").unlink()
    (lab.folder / "b.png").write_bytes(b"")
    (lab.folder / "c.png").write_bytes(b"\x00" * 100)


@case("no image can be read", words=("No image of the study can be used", "is empty"))
def _(lab):
    lab.write()
    for image in lab.drawn:
        (lab.folder / image.name).write_bytes(b"")


@case("an image of three gigapixels", ("too_large_image", "error", "dropped", "c.png"), images=5, lost=8)
def _(lab):
    lab.write()
    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    (lab.folder / "c.png").write_bytes(content)


def _scan(lab: Laboratory, **options: object) -> None:
    """Write c.png as a TIFF, as the options say; its name tells nothing to the reader."""
    lab.write()
    shape = options.pop("shape", (*SIZE[::-1], 3))
    values = np.arange(np.prod(shape)).reshape(shape).astype(options.pop("dtype", np.uint8))
    tifffile.imwrite(lab.folder / "c.png", values, **{"metadata": None, "photometric": "rgb"} | options)


@case("a scan of two pages", ("several_pages", "note", "kept", "c.png"))
def _(lab):
    _scan(lab, shape=(2, *SIZE[::-1]), photometric="minisblack")


@case("a scan of 16 bits", ("scaled_16_bit", "note", "kept", "c.png"))
def _(lab):
    _scan(lab, shape=SIZE[::-1], dtype=np.uint16, photometric="minisblack")


@case("a scan of 32 bits", ("scaled_grey", "note", "kept", "c.png"))
def _(lab):
    _scan(lab, shape=SIZE[::-1], dtype=np.float32, photometric="minisblack")


@case("a scan of two channels", ("channels_chosen", "note", "kept", "c.png"))
def _(lab):
    lab.write()
    channels = np.arange(2 * 150 * 200, dtype=np.uint32).reshape(2, 150, 200).astype(np.uint8)
    tifffile.imwrite(lab.folder / "c.ome.tif", channels, metadata={"axes": "CYX"}, photometric="minisblack")
    (lab.folder / "c.ome.tif").rename(lab.folder / "c.png")


@case("a scan that lacks a tile", ("missing_tiles", "note", "kept", "c.png"))
def _(lab):
    _scan(lab, tile=(64, 64))
    path = lab.folder / "c.png"
    with tifffile.TiffFile(path) as file:
        counts = file.pages[0].tags["TileByteCounts"]
        offsets = file.pages[0].tags["TileOffsets"]
    content = bytearray(path.read_bytes())
    for tag in (counts, offsets):
        width = tag.valuebytecount // tag.count
        content[tag.valueoffset : tag.valueoffset + width] = bytes(width)
    path.write_bytes(bytes(content))


@case("table and file tell another resolution", ("resolution_differs", "warning", "kept", "c.png"))
def _(lab):
    for row, cell in zip(lab.images, ["um_per_pixel", *["0.65"] * 6], strict=True):
        row.append(cell)
    _scan(lab, resolution=(10_000.0, 10_000.0), resolutionunit="CENTIMETER")


@case("one file has two names on one slide", ("same_file", "error", "dropped", "g.png"))
def _(lab):
    lab.images.append(["g.png", "S1"])
    lab.write()
    os.link(lab.folder / "b.png", lab.folder / "g.png")


@case("one file has two names by a link", ("same_file", "error", "dropped", "0.png"))
def _(lab):
    lab.images.append(["0.png", "S1"])  # first by name, but the other one is annotated
    lab.write()
    (lab.folder / "0.png").symlink_to(lab.folder / "b.png")


@case(
    "one file is on two slides",
    ("same_file_two_slides", "error", "refused", "g.png"),
    ("not_annotated", "warning", "kept", "h.png"),
    words=("the file is that of 'b.png'", "slide 'S9', the other 'S1'", "same_file_two_slides: drop"),
)
def _(lab):
    lab.images += [["g.png", "S9"], ["h.png", "S8"]]
    lab.write()
    lab.picture("h.png")
    os.link(lab.folder / "b.png", lab.folder / "g.png")


# --- images and annotations --------------------------------------------------------------------------


@case(
    "annotations are for another version of an image",
    ("wrong_size", "error", "refused", "b.png"),
    words=("image 'b.png'", "for 400 × 300 pixels, but the image is 200 × 150", "another version"),
)
def _(lab):
    lab.drawn[1] = replace(lab.drawn[1], size=(400, 300))


@case(
    "an image was turned after it was annotated",
    ("wrong_size", "error", "refused", "b.png"),
    words=("Width and height are exchanged",),
)
def _(lab):
    lab.drawn[1] = replace(lab.drawn[1], size=SIZE[::-1])


@case(
    "annotations were made without the EXIF orientation",
    ("wrong_size", "error", "refused", "b.png"),
    words=("without its EXIF orientation",),
)
def _(lab):
    lab.write()
    lab.picture("b.png", orientation=6)


@case("an EXIF orientation that the size does not tell", ("exif_orientation", "warning", "kept", "b.png"))
def _(lab):
    lab.write()
    lab.picture("b.png", orientation=3)


@case(
    "two faults that stop and one that does not",
    ("wrong_size", "error", "refused", "b.png"),
    ("unknown_name", "error", "refused", None),
    ("zero_area", "error", "dropped", "d.png"),
    words=(
        "unknown_name (1)",
        "wrong_size (1)",
        "wrong_size: drop, unknown_name: drop",
        "refused_problems.csv",
    ),
)
def _(lab):
    lab.drawn[1] = replace(lab.drawn[1], size=(400, 300))
    lab.move(2, (10, 10, 30, 30), "Cer-den2")
    lab.move(3, (10, 10, 10, 30))


@case("an image is not annotated", ("not_annotated", "warning", "kept", "g.png"), images=7)
def _(lab):
    lab.images.append(["g.png", "S9"])
    lab.write()
    lab.picture("g.png")


@case("an image is annotated as empty", ("no_boxes", "note", "kept", "g.png"), images=7)
def _(lab):
    lab.images.append(["g.png", "S9"])
    lab.drawn.append(DrawnImage("g.png", SIZE))


@case(
    "one image of twelve has far fewer boxes",
    ("few_boxes", "warning", "kept", "d.png"),
    images=12,
    n=12,
)
def _(lab):
    lab.drawn[3] = replace(lab.drawn[3], boxes=lab.drawn[3].boxes[:1])


@case("no annotation belongs to an image", words=("no annotation belongs to an image", "'a.png'", "'x0.png'"))
def _(lab):
    lab.write()
    lab.edit("a.png", "x0.png")
    for place in "bcdef":
        lab.edit(f"{place}.png", f"x{place}.png")


@case(
    "a name fits images of two folders", words=("fits several images", "u/1.png, v/1.png", "Write its folder")
)
def _(lab):
    lab.images[1][0], lab.images[2][0] = "u/1.png", "v/1.png"
    lab.drawn[0] = replace(lab.drawn[0], name="1.png")
    lab.write()
    lab.picture("u/1.png")
    lab.picture("v/1.png")


# --- boxes ------------------------------------------------------------------------------------------


@case("a box has no number", ("not_a_number", "error", "dropped", "a.png"), lost=1)
def _(lab):
    lab.move(0, (NAN, 10, 30, 30))


@case("a box is infinite", ("not_a_number", "error", "dropped", "a.png"), lost=1)
def _(lab):
    with lab.document() as document:
        document["annotations"][0]["bbox"][2] = float("inf")


@case("a box has a decimal comma in COCO", ("not_a_number", "error", "dropped", "a.png"), lost=1)
def _(lab):
    with lab.document() as document:
        document["annotations"][0]["bbox"] = ["10,5", "10", "20", "20"]


@case("a box has three numbers", ("not_a_number", "error", "dropped", "a.png"), lost=1)
def _(lab):
    with lab.document() as document:
        document["annotations"][0]["bbox"] = [1, 2, 3]


@case("a box has a negative width", ("negative_size", "error", "dropped", "a.png"), lost=1)
def _(lab):
    with lab.document() as document:
        document["annotations"][0]["bbox"][2] = -20


@case(
    "a box covers its image",
    ("covers_image", "warning", "kept", "a.png"),
    ("unusual_size", "warning", "kept", "a.png"),
)
def _(lab):
    lab.draw(0, Drawn("CER-DEN", (0, 0, 200, 149)))


@case("a box is two pixels wide", ("tiny_box", "warning", "kept", "a.png"))
def _(lab):
    lab.draw(0, Drawn("CER-DEN", (150, 80, 152, 120)))


@case(
    "a box is a speck beside its species",
    ("tiny_box", "warning", "kept", "a.png"),
    ("unusual_size", "warning", "kept", "b.png"),
    images=20,
    n=20,
)
def _(lab):
    for place, image in enumerate(lab.drawn):
        boxes = [Drawn("CER-DEN", (10, 10, 72 + place, 80)), Drawn("ISO-MIN", (100, 10, 162 + place, 80))]
        lab.drawn[place] = replace(image, boxes=boxes)
    lab.draw(0, Drawn("ISO-MIN", (180, 140, 183, 143.3)))  # a 1/400 of the others and less
    lab.draw(1, Drawn("ISO-MIN", (180, 130, 183, 135.3)))  # a little more


@case("a box is far larger than its species", ("unusual_size", "warning", "kept", "a.png"))
def _(lab):
    lab.draw(0, Drawn("CER-DEN", (5, 5, 150, 120)))


@case("the same box stands twice", ("duplicate_box", "warning", "dropped", "a.png"), lost=1)
def _(lab):
    lab.draw(0, lab.drawn[0].boxes[0])


@case("a box was copied and moved by a pixel", ("near_duplicate", "warning", "dropped", "a.png"), lost=1)
def _(lab):
    lab.move(0, (10, 10, 50, 50))
    lab.draw(0, Drawn("CER-DEN", (11, 11, 51, 51)))


@case("two boxes of a species share most", ("overlapping_boxes", "warning", "kept", "a.png"))
def _(lab):
    lab.move(0, (10, 10, 50, 50))
    lab.draw(0, Drawn("CER-DEN", (12, 12, 52, 52)))


@case("one place has two species", ("two_species", "warning", "kept", "a.png"))
def _(lab):
    lab.move(0, (10, 10, 50, 50))
    lab.draw(0, Drawn("ISO-MIN", (11, 10, 51, 50)))


@case(
    "one box stands three times, once with another species",
    ("duplicate_box", "warning", "dropped", "a.png"),
    ("two_species", "warning", "kept", "a.png"),
    lost=1,
)
def _(lab):
    first = lab.drawn[0].boxes[0]
    lab.draw(0, first, Drawn("ISO-MIN", first.box))


# --- names and species -------------------------------------------------------------------------------


@case(
    "several names are unknown",
    *[("unknown_name", "error", "refused", None)] * 2,
    words=(
        "1 × the name 'Ceratophysela denticulata'",
        "nearest known name is 'Ceratophysella denticulata'",
        "'mite'",
    ),
)
def _(lab):
    lab.move(0, (10, 10, 30, 30), "Ceratophysela denticulata")
    lab.move(1, (10, 10, 30, 30), "mite")


@case("unknown names are to be dropped", ("unknown_name", "error", "dropped", None), lost=1)
def _(lab):
    lab.config["dataset"]["problems"] = {"unknown_name": "drop"}
    lab.move(0, (10, 10, 30, 30), "mite")


@case("a name is known and of no interest", ("other_name", "note", "dropped", None), lost=1)
def _(lab):
    lab.config["species"]["other"] = ["mite"]
    lab.move(0, (10, 10, 30, 30), "Mite")


@case("a species is not in the study", ("other_name", "note", "dropped", None), lost=24)
def _(lab):
    lab.config["species"]["include"] = ["ISO-MIN"]


@case("a species has no specimen", ("no_specimen", "error", "kept", None))
def _(lab):
    lab.species.append(["PAR-NOT", "Parisotoma notabilis", "", "", ""])


@case("a species has few specimens", ("few_specimens", "warning", "kept", None))
def _(lab):
    lab.species.append(["PAR-NOT", "Parisotoma notabilis", "", "", ""])
    lab.draw(0, Drawn("PAR-NOT", (5, 100, 25, 120)))


@case("both species are on three slides", *[("few_specimens", "warning", "kept", None)] * 2)
def _(lab):
    for place, row in enumerate(lab.images[1:]):
        row[1] = f"S{place % 3}"


@case(
    "all specimens of a species are flagged",
    *[("flagged", "note", "ignored", f"{x}.png") for x in "abcdef" for _ in range(4)],
    ("no_specimen", "error", "kept", None),
)
def _(lab):
    flags = frozenset({"difficult"})
    lab.drawn = [
        replace(image, boxes=[replace(b, flags=flags) if b.name == "ISO-MIN" else b for b in image.boxes])
        for image in lab.drawn
    ]


@case("a name is shared by a species and by species.other", words=("'I. minor'", "ISO-MIN"))
def _(lab):
    lab.config["species"]["other"] = ["I. minor"]


# --- every format ------------------------------------------------------------------------------------

ALL = tuple(WRITERS)
#: The image of the first box as each format's first file knows it.
_FLAGGED = {
    "voc": "difficult",
    "coco": "crowd",
    "labelme": "difficult",
    "cvat": "difficult",
    "label_studio": "ignore",
    "via": "difficult",
    "csv": "crowd",
}
#: A text of a coordinate and what takes its place so that it is no number.
_NO_NUMBER = {
    "voc": ("<xmin>10</xmin>", "<xmin>ten</xmin>"),
    "cvat": ('xtl="10"', 'xtl="ten"'),
    "csv": (",10.0,10.0,", ",ten,10.0,"),
    "yolo": (" 0.1 ", " nan "),
    "labelme": ("[10, 10]", '["ten", 10]'),
    "via": ('"x": 10,', '"x": null,'),
    "label_studio": ('"x": 5.0,', '"x": "five",'),
}
_WRONG_END = {
    "coco": "this is not JSON",
    "voc": "not well-formed XML",
    "yolo": "not valid YAML",
    "labelme": "this is not JSON",
    "cvat": "not well-formed XML",
    "label_studio": "this is not JSON",
    "via": "this is not JSON",
    "csv": "columns",
}
#: What the file of another kind is told to be.
_SUFFIX = {"voc": ".xml", "cvat": ".xml", "yolo": ".yaml", "csv": ".csv"}


def _of_each_format(kind: str) -> None:
    @case(f"{kind}: a box has no area", ("zero_area", "error", "dropped", "a.png"), kind=kind, lost=1)
    def _(lab):
        lab.move(0, (10, 10, 10, 30))

    @case(f"{kind}: a box is outside", ("outside_image", "error", "dropped", "a.png"), kind=kind, lost=1)
    def _(lab):
        lab.move(0, (210, 10, 230, 30))

    @case(f"{kind}: a box reaches over the edge", ("partly_outside", "warning", "fixed", "a.png"), kind=kind)
    def _(lab):
        lab.draw(0, Drawn("CER-DEN", (-10, 90, 20, 115)))

    @case(f"{kind}: a box stands twice", ("duplicate_box", "warning", "dropped", "a.png"), kind=kind, lost=1)
    def _(lab):
        lab.draw(0, lab.drawn[0].boxes[2])

    @case(
        f"{kind}: a name is misspelt",
        ("unknown_name", "error", "refused", None),
        words=("'Cer-dem'", "nearest known name is 'CER-DEN'"),
        kind=kind,
    )
    def _(lab):
        lab.move(0, (10, 10, 30, 30), "Cer-dem")

    @case(
        f"{kind}: an image is not in the study",
        ("image_not_in_study", "warning", "dropped", None),
        kind=kind,
        lost=8,
    )
    def _(lab):
        lab.drawn.append(DrawnImage("z.png", SIZE, sound_boxes(0)))

    @case(f"{kind}: the annotations are cut off", words=_WRONG_END[kind], kind=kind)
    def _(lab):
        lab.write()
        path = lab.files(_SUFFIX.get(kind))[0]
        content = path.read_bytes()
        path.write_bytes(
            content[: int(len(content) * 0.77)] if kind != "yolo" else b"names: {0: CER-DEN, 1: "
        )

    @case(
        f"{kind}: the annotations are missing", words=("dataset.annotations.path", "there is no"), kind=kind
    )
    def _(lab):
        lab.annotations["path"] = str(lab.folder / "nothing")

    @case(f"{kind}: the annotations are not UTF-8", words=("given",), kind=kind)
    def _(lab):
        lab.write()
        path = lab.files(_SUFFIX.get(kind))[0]
        path.write_bytes(b"\xff\xfe\xfa" + path.read_bytes())

    if kind in _FLAGGED:

        @case(f"{kind}: a box is flagged", ("flagged", "note", "ignored", "a.png"), kind=kind)
        def _(lab):
            lab.draw(0, Drawn("CER-DEN", (150, 100, 180, 125), frozenset({_FLAGGED[kind]})))

    if kind in _NO_NUMBER:

        @case(
            f"{kind}: a box has no number", ("not_a_number", "error", "dropped", "a.png"), kind=kind, lost=1
        )
        def _(lab):
            lab.edit(*_NO_NUMBER[kind])


for _kind in ALL:
    _of_each_format(_kind)


@case("voc: the corners are swapped", ("swapped_corners", "warning", "fixed", "a.png"), kind="voc")
def _(lab):
    lab.move(0, (30, 34, 10, 10))


@case("cvat: the corners are swapped", ("swapped_corners", "warning", "fixed", "a.png"), kind="cvat")
def _(lab):
    lab.move(0, (30, 10, 10, 34))


@case("csv: the corners are swapped", ("swapped_corners", "warning", "fixed", "a.png"), kind="csv")
def _(lab):
    lab.move(0, (10, 34, 30, 10))


@case("voc: truncated boxes are to be ignored", ("flagged", "note", "ignored", "a.png"), kind="voc")
def _(lab):
    lab.annotations["ignore_flags"] = ["truncated"]
    lab.draw(0, Drawn("CER-DEN", (150, 100, 180, 125), frozenset({"truncated"})))


@case("voc: truncated boxes count by default", kind="voc")
def _(lab):
    lab.draw(0, Drawn("CER-DEN", (150, 100, 180, 125), frozenset({"truncated"})))


# --- one format alone --------------------------------------------------------------------------------


@case("coco: an id stands twice", ("duplicate_id", "note", "fixed", None))
def _(lab):
    with lab.document() as document:
        document["annotations"][1]["id"] = document["annotations"][0]["id"]


@case("coco: a box of no image", ("no_such_image", "error", "dropped", None), lost=1)
def _(lab):
    with lab.document() as document:
        document["annotations"][0]["image_id"] = 99


@case("coco: a bbox of nothing with an outline", ("box_of_segmentation", "warning", "fixed", None))
def _(lab):
    with lab.document() as document:
        document["annotations"][0] |= {
            "bbox": [0, 0, 0, 0],
            "segmentation": [[10, 10, 30, 10, 30, 34, 10, 34]],
        }


@case(
    "coco: a damaged outline in place of a bbox",
    ("unread_segmentation", "error", "dropped", None),
    ("not_a_number", "error", "dropped", "a.png"),
    lost=1,
)
def _(lab):
    with lab.document() as document:
        del document["annotations"][0]["bbox"]
        document["annotations"][0]["segmentation"] = [[1, 2]]


@case(
    "coco: an image is annotated twice",
    ("annotated_twice", "error", "refused", "a.png"),
    words=("annotated already at image id 1", "annotated_twice: drop"),
)
def _(lab):
    with lab.document() as document:
        document["images"].append(document["images"][0] | {"id": 99})
        document["annotations"][0]["image_id"] = 99


@case("coco: an id of an image stands twice", words=("the id 1 stands there twice",))
def _(lab):
    with lab.document() as document:
        document["images"][1]["id"] = 1


@case("coco: a category is missing", words=("category_id 2 is not among the categories",))
def _(lab):
    with lab.document() as document:
        document["categories"].pop()


@case("coco: a list of nothing", words=("COCO is an object",))
def _(lab):
    lab.write()
    lab.given.write_text("[]")


@case("voc: the file names another image", ("filename_differs", "warning", "kept", None), kind="voc")
def _(lab):
    lab.edit("<annotation>", "<annotation><filename>other.png</filename>")


@case(
    "voc: an image is annotated twice",
    ("annotated_twice", "error", "refused", "a.png"),
    words=("annotated already at",),
    kind="voc",
)
def _(lab):
    lab.write()
    for folder in ("x", "y"):
        (lab.given / folder).mkdir()
        (lab.given / folder / "a.xml").write_bytes((lab.given / "a.xml").read_bytes())
    (lab.given / "a.xml").unlink()


@case("voc: a document type is declared", words=("a document type or entities",), kind="voc")
def _(lab):
    lab.edit("<annotation>", '<!DOCTYPE x [<!ENTITY y "z">]><annotation>')


@case("voc: a folder without XML", words=("holds no .xml file",), kind="voc")
def _(lab):
    lab.write()
    for path in lab.files(".xml"):
        path.unlink()


@case("yolo: coordinates are pixels", ("not_normalised", "error", "dropped", None), kind="yolo", lost=1)
def _(lab):
    lab.edit("0 0.1 ", "0 20.0 ", ".txt")


@case("yolo: a class has no name", words=("'7' is none of the classes",), kind="yolo")
def _(lab):
    lab.edit("0 0.1 ", "7 0.1 ", ".txt")


@case("yolo: labels are detections", words=("six numbers are a box with a confidence",), kind="yolo")
def _(lab):
    lab.edit("0 0.1 ", "0 0.9 0.1 ", ".txt")


@case("yolo: a part has no labels", ("no_label_folder", "error", "dropped", None), kind="yolo")
def _(lab):
    lab.edit("train: images/train", "train: images/train\nval: images/val", ".yaml")


@case("yolo: path does not exist", ("path_not_found", "note", "fixed", None), kind="yolo")
def _(lab):
    lab.edit("path: .", "path: /nowhere/at/all", ".yaml")


@case("yolo: a listed image leaves the folder", ("leaves_folder", "error", "dropped", None), kind="yolo")
def _(lab):
    lab.edit("train: images/train", "train: [images/train, list.txt]", ".yaml")
    (lab.given.parent / "list.txt").write_text("../../../elsewhere/images/x.png\n")


@case("labelme: a point", ("shape_without_area", "error", "dropped", None), kind="labelme", lost=1)
def _(lab):
    lab.edit('"shape_type": "rectangle"', '"shape_type": "point"')


@case("labelme: an unknown shape", ("unknown_shape", "error", "dropped", None), kind="labelme", lost=1)
def _(lab):
    lab.edit('"shape_type": "rectangle"', '"shape_type": "star"')


@case(
    "labelme: two pieces of one animal",
    ("joined_group", "note", "kept", None),
    ("unusual_size", "warning", "kept", "a.png"),
    kind="labelme",
    lost=1,
)
def _(lab):
    with lab.document() as document:
        for shape in document["shapes"][:3:2]:
            x, y = shape["points"][0]
            shape |= {"shape_type": "polygon", "group_id": 1}
            shape["points"] = [[x, y], [x + 20, y], [x + 20, y + 100], [x, y + 100]]


@case(
    "labelme: the file is flagged",
    ("flags_of_file", "note", "kept", None),
    *[("flagged", "note", "ignored", "a.png")] * 8,
    kind="labelme",
)
def _(lab):
    with lab.document() as document:
        document["flags"] = {"ignore": True}


@case("cvat: a shape is outside the picture", ("outside_view", "note", "dropped", None), kind="cvat", lost=1)
def _(lab):
    lab.edit("<box ", '<box outside="1" ')


@case("cvat: a track of a video", ("track", "error", "dropped", None), kind="cvat")
def _(lab):
    lab.edit("</annotations>", '<track id="0" label="CER-DEN"/></annotations>')


@case("cvat: only tracks", words=("only tracks, as for video",), kind="cvat")
def _(lab):
    lab.write()
    lab.given.write_text('<annotations><track id="0" label="CER-DEN"/></annotations>')


@case(
    "label studio: an annotation was cancelled",
    ("cancelled_annotation", "note", "dropped", None),
    kind="label_studio",
)
def _(lab):
    with lab.document() as document:
        document[0]["annotations"].append({"id": 8, "was_cancelled": True, "result": []})


@case(
    "label studio: two annotations of a task",
    ("several_annotations", "warning", "dropped", None),
    kind="label_studio",
)
def _(lab):
    with lab.document() as document:
        document[0]["annotations"].insert(0, {"id": 2, "was_cancelled": False, "result": []})


@case(
    "label studio: a task is not annotated",
    ("task_not_annotated", "warning", "dropped", None),
    ("not_annotated", "warning", "kept", "a.png"),
    kind="label_studio",
    lost=8,
)
def _(lab):
    with lab.document() as document:
        document[0]["annotations"] = []


@case(
    "label studio: a view was turned", ("turned_view", "error", "dropped", None), kind="label_studio", lost=1
)
def _(lab):
    with lab.document() as document:
        document[0]["annotations"][0]["result"][0]["image_rotation"] = 90


@case(
    "label studio: two tasks of one image",
    ("annotated_twice", "error", "refused", "a.png"),
    words=("annotated already at task 1",),
    kind="label_studio",
)
def _(lab):
    with lab.document() as document:
        document.append(label_studio_task(lab.drawn[0]))


@case(
    "via: two names of an attribute",
    words=("regions have several attributes", "annotations.attribute"),
    kind="via",
)
def _(lab):
    with lab.document() as document:
        first = next(iter(document["_via_img_metadata"].values()))
        first["regions"][0]["region_attributes"]["sex"] = "f"


@case(
    "csv: semicolons and decimal commas",
    ("other_separator", "note", "fixed", None),
    ("decimal_comma", "warning", "fixed", None),
    kind="csv",
)
def _(lab):
    lab.write()
    text = lab.given.read_text().replace(",", ";").replace(".0;", ",5;").replace(".0\n", ",5\n")
    lab.given.write_text(text)


@case("csv: thousands or decimals?", words=("may be a decimal comma or separate thousands",), kind="csv")
def _(lab):
    lab.write()
    lab.given.write_text(lab.given.read_text().replace(",", ";").replace("10.0", "1,234"))


@case(
    "csv: a column is missing", words=("the column 'species' is missing", "annotations.columns"), kind="csv"
)
def _(lab):
    lab.edit("species", "animal")


@case("csv: a row has too many columns", words=("line 2: it has", "the first line"), kind="csv")
def _(lab):
    lab.edit("a.png,", "a,a.png,")


# --- the images table ----------------------------------------------------------------------------------


def _images_text(name: str, change: Callable[[str], str | bytes], *words: str) -> None:
    @case(f"images.tsv: {name}", words=words)
    def _(lab):
        lab.write()
        path = lab.folder / "images.tsv"
        changed = change(path.read_text())
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())


NO_TABS = "columns are not separated by tabs"
_images_text("semicolons", lambda t: t.replace("\t", ";"), "row 1", NO_TABS, "tab-separated text (.tsv)")
_images_text("commas", lambda t: t.replace("\t", ","), "row 1", NO_TABS)
_images_text("bars", lambda t: t.replace("\t", "|"), NO_TABS)
_images_text("a line that tells the separator", lambda t: "sep=;\n" + t.replace("\t", ";"), NO_TABS)
_images_text(
    "semicolons in the rows alone", lambda t: t.replace("\t", ";").replace(";", "\t", 1), "row 2", "is empty"
)
_images_text("nothing in it", lambda t: "", "the table is empty", "image, slide")
_images_text("a header alone", lambda t: "image\tslide\n", "holds no image")
_images_text("UTF-16, as of Excel", lambda t: t.encode("utf-16"), "is not UTF-8")
_images_text("Latin 1", lambda t: t.replace("S3", "Süd").encode("latin-1"), "is not UTF-8")
_images_text("an unknown column", lambda t: t.replace("slide", "slide\tslyde"), "there is no column 'slyde'")
_images_text("no column of slides", lambda t: t.replace("slide", "site"), "the column 'slide' is missing")
_images_text("a column twice", lambda t: t.replace("slide", "slide\tslide"), "'slide' stands there twice")
_images_text("an empty cell", lambda t: t.replace("S2", ""), "row 4, column 'slide': the cell is empty")
_images_text("a cell too many", lambda t: t.replace("S2", "S2\tx"), "row 4: 3 cells")
_images_text("a quote that is not closed", lambda t: t.replace("S2", '"S2'), "row 4", "quotation mark")
_images_text("a row twice", lambda t: t + "a.png\tS0\n", "stands already in row 2")
_images_text("a file by two spellings", lambda t: t + "./b.png\tS0\n", "stands already in row 3")
_images_text("another folder", lambda t: t.replace(".png", ".jpg"), "6 of 6 image files are not there")
_images_text("backslashes", lambda t: t.replace("\n", "\nx\\", 4), "write / instead of \\")


def _images_column(name: str, column: str, cells: list[str], *words: str) -> None:
    @case(f"images.tsv: {name}", words=words)
    def _(lab):
        for row, cell in zip(lab.images, [column, *cells], strict=True):
            row.append(cell)


_images_column(
    "a decimal comma", "um_per_pixel", ["0,65", *["0.65"] * 5], "decimal comma: write 0.65", "row 2"
)
_images_column("a size of zero", "um_per_pixel", ["0", *["0.65"] * 5], "'0' is not above 0")
_images_column("a part that does not exist", "part", ["tets", *[""] * 5], "Is 'test' meant?")
_images_column("a date of another order", "date", ["24.12.2025", *[""] * 5], "YYYY-MM-DD")


@case("images.tsv: a slide at two sites", words=("the slide 'S0' has 'field' (row 2) and 'wood' (row 3)",))
def _(lab):
    lab.images[2][1] = "S0"
    for row, site in zip(lab.images, ["site", "field", "wood", "", "", "", ""], strict=True):
        row.append(site)


@case("images.tsv: no file", words=("there is no file", "images.tsv"))
def _(lab):
    lab.write()
    (lab.folder / "images.tsv").unlink()


# --- the species table and the configuration ---------------------------------------------------------------


def _species_text(name: str, change: Callable[[str], str], *words: str) -> None:
    @case(f"species.tsv: {name}", words=words)
    def _(lab):
        lab.write()
        path = lab.folder / "species.tsv"
        path.write_text(change(path.read_text()))


_species_text("semicolons", lambda t: t.replace("\t", ";"), "row 1", NO_TABS)
_species_text("commas", lambda t: t.replace("\t", ","), NO_TABS)
_species_text(
    "a code twice", lambda t: t.replace("ISO-MIN", "CER-DEN"), "already a code, name or alias of CER-DEN"
)
_species_text(
    "an alias of two", lambda t: t.replace("I. minor", "c. denticulata"), "Each name may mean one species"
)
_species_text(
    "a code that is no file name", lambda t: t.replace("ISO-MIN", "ISO/MIN"), "'ISO/MIN' does not fit"
)
_species_text("no species", lambda t: t.split("\n")[0], "holds no species")
_species_text("no name", lambda t: t.replace("Isotomiella minor", ""), "column 'name': the cell is empty")


def _config(name: str, change: Callable[[Laboratory], object], *words: str) -> None:
    @case(f"config: {name}", words=words)
    def _(lab):
        lab.write()
        change(lab)


def _dataset(**values: object) -> Callable[[Laboratory], None]:
    return lambda lab: lab.config["dataset"].update(values)


_config("a misspelt key", _dataset(imges="x"), "there is no such key", "Is 'images' meant?")
_config(
    "a misspelt kind of fault",
    _dataset(problems={"tiny_boxes": "drop"}),
    "'tiny_boxes'",
    "Is 'tiny_box' meant?",
)
_config(
    "a treatment that a kind cannot have",
    _dataset(problems={"two_species": "drop"}),
    "Write keep, ignore or refuse",
)
_config("no treatment at all", _dataset(problems={"tiny_box": "remove"}), "'remove' is no treatment")
_config(
    "a misspelt flag", lambda lab: lab.annotations.update(ignore_flags=["truncatd"]), "Is 'truncated' meant?"
)
_config("a misspelt format", lambda lab: lab.annotations.update(format="coko"), "Is 'coco' meant?")
_config(
    "a key of another format", lambda lab: lab.annotations.update(units="pixels"), "coco does not take it"
)
_config("no path", lambda lab: lab.annotations.update(path=None), "the path of the JSON file")
_config("a folder for a file", lambda lab: lab.annotations.update(path=str(lab.folder)), "is not a file")
_config(
    "a species that the table has not",
    lambda lab: lab.config["species"].update(include=["ISO-MAJ"]),
    "Is 'ISO-MIN' meant?",
)
_config(
    "fractions that are not 1",
    lambda lab: lab.config.update(
        split={"fractions": dict.fromkeys(("train", "validation", "calibration", "test"), 0.5)}
    ),
    "is 2.0, not 1",
)
