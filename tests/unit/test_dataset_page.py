"""The page of a data set tells what is there, absent and wrong, and escapes what it is given."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from dataset_data import SPECIES, make_dataset, problem, rows
from podura.report import dataset_summary as summary
from podura.report.data_card import NOT_TOLD, PAINTED, data_card, markdown
from podura.report.dataset_figures import parts_figure, sizes_figure
from podura.report.dataset_page import render_dataset
from podura.report.results import is_binomial, name_parts
from podura.report.sheets import contact_sheets, facet_options, facets_of, image_links
from podura.report.style import save_figure
from podura.tables import LEAKAGE
from unit.test_page import NASTY, Page

TEXTS = [column.name for column in LEAKAGE.columns if column.kind == "string"]

PROBLEMS = [
    problem("slide 00/field 0.png", "partly_outside", message="the box reaches beyond the image"),
    problem("slide 00/field 0.png", "few_boxes"),
    problem("slide 02/field 1.png", "few_boxes"),
    problem("lost.png", "unreadable_image", "error", "the file is cut off"),
    problem(None, "size_not_told", "note", "the annotations do not tell the size"),
]
DROPPED = [("lost.png", "slide 00")]


FIGURES = {name: Figure() for name in ("specimens_by_part", "sizes_by_species")}


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(problems=PROBLEMS, dropped=DROPPED)


@pytest.fixture(scope="module")
def rendered(dataset):
    return render_dataset(dataset)


@pytest.fixture(scope="module")
def page(rendered):
    return Page(rendered[0])


@pytest.fixture(scope="module")
def sheet(rendered):
    return Page(rendered[1]["sheet-1.html"])


class TestPage:
    def test_is_whole_and_loads_nothing_from_elsewhere(self, page, sheet):
        for one in (page, sheet):
            assert not one.mistakes
            assert not one.open
            policy = one.all("meta")[3]["content"]
            assert "default-src 'none'" in policy
            assert "img-src 'self' file:" in policy
            links = [a["href"] for a in one.all("a") if "href" in a] + [
                i["src"] for i in one.all("img") if "src" in i
            ]
            assert not [link for link in links if re.match(r"[a-z]+:|//|/", link)]

    def test_every_link_leads_to_something(self, page, sheet, rendered):
        anchors = {attributes["id"] for _, attributes in sheet.elements if "id" in attributes}
        own = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
        tables = {"problems.csv", "slides.csv", "sites.csv", "sizes.csv", "data_card.md"}
        for link in (a["href"] for a in page.all("a")):
            file, _, anchor = link.partition("#")
            if not file:
                assert anchor in own
            elif file.startswith("sheets/"):
                assert file.removeprefix("sheets/") in rendered[1]
                assert not anchor or anchor in anchors or re.fullmatch(r"kind=\d+", anchor)
            else:
                assert file in tables

    def test_says_how_much_there_is_and_what_is_absent(self, page):
        assert "20 images, 10 slides, 5 samples, 2 sites; 29 specimens of 4 species." in page.text
        assert "No specimen at all: MAS." in page.text
        assert "1 image of the study could not be used." in page.text
        assert "MAS has no box in the whole study." in page.text
        assert "FOL-SP is absent from train" in page.text
        assert "✗ none" in page.text

    def test_only_scientific_names_are_in_italics(self, rendered):
        assert "<i>Isotomiella minor</i>" in rendered[0]
        assert "<i>Folsomia</i> sp. 2" in rendered[0]
        assert "<i>Mast" not in rendered[0]

    @pytest.mark.parametrize("name", ["red blood cell", "Mast cell", "Soil mites", "White blood cells"])
    def test_english_names_are_no_binomials(self, name):
        assert not is_binomial(name)
        assert name_parts(name) == [(name, False)]

    def test_faults_lead_to_their_images(self, dataset, page):
        facets = facets_of(dataset)
        links = image_links(contact_sheets(dataset, facets))
        found = {row["kind"]: row for row in summary.problem_table(dataset, facets, links)}
        assert [image for image, _ in found["few boxes"]["images"]] == [
            "slide 00/field 0.png",
            "slide 02/field 1.png",
        ]
        assert found["unreadable image"]["n_images"] == 1
        assert found["size not told"]["images"] == []
        assert "the annotations do not tell the size" in page.text
        assert next(iter(found)) == "unreadable image", "the gravest first"

    def test_sites_are_shown_only_where_they_are_told(self):
        plain = [(*row[:2], None, None, *row[4:]) for row in rows()]
        dataset = make_dataset(plain)
        html, _ = render_dataset(dataset, FIGURES)
        assert summary.site_rows(dataset) == []
        assert "sites.csv" not in html
        assert "No site is told" in html

    def test_a_leak_is_told_and_its_images_and_its_picture_are_linked(self):
        pair = {
            "kind": "overlap",
            "image_1": "slide 00/field 0.png",
            "slide_1": "slide 00",
            "image_2": "elsewhere.png",
            "slide_2": "elsewhere",
            "part_2": "test",
            "folds": "0",
            "message": "overlapping fields",
            "picture": "leakage/0001_overlap.jpg",
        }
        rows = [
            {**pair, "severity": "leak", "part_1": "train"},
            {**pair, "severity": "within part", "part_1": "test", "picture": None},
        ]
        html, _ = render_dataset(make_dataset(leakage=LEAKAGE.frame(rows)), FIGURES)
        page = Page(html)
        assert "1 pair of images in different parts shows the same" in page.text
        assert "train and test" in page.text
        assert "both in test" in page.text
        assert html.count('href="leakage/0001_overlap.jpg"') == 1

    def test_no_leak_and_no_search_are_not_the_same(self):
        none = Page(render_dataset(make_dataset(leakage=LEAKAGE.frame([])), FIGURES)[0]).text
        assert "none of one part shows what another part shows" in none
        unknown = Page(render_dataset(make_dataset(), FIGURES)[0]).text
        assert "were not compared" in unknown

    def test_each_fold_has_its_table(self):
        dataset = make_dataset(folds=3)
        html, sheets = render_dataset(dataset, FIGURES)
        page = Page(html)
        assert all(f"Fold {fold}" in page.text for fold in (1, 2, 3))
        assert "validation, calibration, test" in page.text  # the parts of the first slide, by fold
        assert "fold 2: test" in Page(sheets["sheet-1.html"]).text

    def test_it_says_what_the_parts_share(self):
        assert "The parts share no slide." in Page(render_dataset(make_dataset(), FIGURES)[0]).text
        folds = make_dataset(folds=2)
        folds = dataclasses.replace(folds, facts={**folds.facts, "split_by": "site"})
        said = "In each fold test shares no site with the other parts, and these share no slide."
        assert said in Page(render_dataset(folds, FIGURES)[0]).text
        assert "a site between test and the other parts, a slide among these" in markdown(data_card(folds))

    def test_whatever_it_is_given_is_escaped(self):
        images = [(NASTY, NASTY, NASTY, NASTY, None, [("X", 1.0, 1.0, 5.0, 5.0, False)])]
        images += [(f"{k}", f"{k}", None, None, None, []) for k in range(4)]
        dataset = make_dataset(
            images,
            species=[{"code": "X", "name": NASTY, "authority": NASTY, "family": NASTY}],
            problems=[problem(NASTY, NASTY, message=NASTY)],
            card=dict.fromkeys(["title", "description", "source", "licence", "citation", "contact"], NASTY),
            leakage=LEAKAGE.frame(
                [{column.name: None for column in LEAKAGE.columns} | dict.fromkeys(TEXTS, NASTY)]
            ),
        )
        html, sheets = render_dataset(dataset, FIGURES)
        for text in (html, sheets["sheet-1.html"]):
            page = Page(text)
            assert not page.mistakes
            assert not page.all("b") or all("onclick" not in b for b in page.all("b"))
            assert "<script>alert" not in text
        assert "alert(" in Page(html).text


class TestSheets:
    def test_every_image_stands_once_beside_those_of_its_slide(self, dataset):
        (sheet,) = contact_sheets(dataset, facets_of(dataset))
        shown = [one.image for group in sheet.groups for one in group.shown]
        assert len(shown) == len(set(shown)) == 21
        assert [group.slide for group in sheet.groups] == [f"slide {k:02d}" for k in range(10)]
        assert [one.title for one in sheet.groups[0].shown][-1] == "lost.png, slide 00"
        assert sheet.groups[0].shown[-1].counts == ["not used"]
        assert sheet.groups[2].shown[0].counts == ["1 CER-DEN", "2 ISO-MIN (1 ignored)"]
        assert sheet.groups[4].shown[1].counts == ["no boxes"]

    def test_slides_of_one_image_share_a_group(self):
        dataset = make_dataset(rows(9, per_slide=1))
        (sheet,) = contact_sheets(dataset, facets_of(dataset))
        assert [(group.slide, len(group.shown)) for group in sheet.groups] == [("", 9)]

    @pytest.mark.parametrize("per_slide", [1, 3])
    def test_many_images_fill_several_sheets_and_slides_stay_whole(self, per_slide):
        dataset = make_dataset(rows(10, per_slide=per_slide))
        sheets = contact_sheets(dataset, facets_of(dataset), most=7)
        sizes = [sum(len(group.shown) for group in sheet.groups) for sheet in sheets]
        assert sum(sizes) == 10 * per_slide
        assert max(sizes) <= 7
        assert [(sheet.first, sheet.last) for sheet in sheets][-1][1] == 10 * per_slide
        assert all(a.last + 1 == b.first for a, b in itertools.pairwise(sheets))
        links = image_links(sheets)
        assert len(set(links.values())) == 10 * per_slide

    def test_a_slide_with_more_images_than_a_sheet_goes_on(self):
        dataset = make_dataset(rows(5, per_slide=9))
        sheets = contact_sheets(dataset, facets_of(dataset), most=4)
        anchors = [group.anchor for sheet in sheets for group in sheet.groups]
        assert len(anchors) == len(set(anchors)) == 15

    def test_facets_refer_to_their_options(self, dataset):
        facets = facets_of(dataset)
        options = facet_options(facets, dataset)
        (sheet,) = contact_sheets(dataset, facets)
        first = sheet.groups[0].shown[0].facets
        chosen = {key: [options[key][int(place)] for place in first[key].split()] for key in options}
        assert chosen == {
            "species": ["Ceratophysella denticulata", "Isotomiella minor"],
            "part": ["train"],
            "site": ["meadow"],
            "kind": ["partly outside", "few boxes"],
        }


class TestCard:
    def test_what_is_not_told_is_said(self, dataset):
        text = markdown(data_card(dataset))
        for question in ("Licence", "How to cite it", "Whom to ask", "Dates of sampling", "Description"):
            assert f"**{question}**: {NOT_TOLD}" in text
        assert text.startswith("# demo\n")

    def test_what_is_told_is_shown(self):
        card = {"title": "Meadow springtails", "licence": "CC-BY-4.0", "source": "a programme"}
        told = make_dataset(card={**dict.fromkeys(["description", "citation", "contact"]), **card})
        text = markdown(data_card(told))
        assert text.startswith("# Meadow springtails\n")
        assert "**Licence**: CC-BY-4.0" in text

    def test_numbers_names_and_faults(self, dataset):
        text = markdown(data_card(dataset))
        assert "20 images of 10 slides (1 other image could not be used)" in text
        assert "29 specimens, 9 further ones to be ignored; 1 image without any" in text
        numbers = "| ISO-MIN | 9 | 9 | 5 | 50 (50 to 50) | 125 (125 to 125) |"
        assert f"| *Isotomiella minor* (Schäffer, 1896) {numbers}" in text
        assert "| Mast cell | MAS | 0 | 0 | 0 | – | – |" in text
        assert "unreadable image: 1, kept" in text
        assert "a" * 64 in text

    def test_painted_slides_say_so(self):
        facts = {
            "format": "painted",
            "split_by": "slide",
            "others_by": "slide",
            "random_seed": 7,
            "files": {},
        }
        dataset = make_dataset(facts=facts)
        assert PAINTED in markdown(data_card(dataset))
        html, sheets = render_dataset(dataset, FIGURES)
        assert PAINTED in html
        assert PAINTED in sheets["sheet-1.html"]
        assert PAINTED not in markdown(data_card(make_dataset()))

    @pytest.mark.parametrize(
        "text",
        [NASTY, "1. a", "- a", "# a", "a | b", "*a* _b_ [c](d)", "`a`", "a\n\n# b", "&lt;", "~~a~~", "__a__"],
    )
    def test_the_owners_words_are_no_markup(self, text):
        card = dict.fromkeys(["title", "description", "source", "licence", "citation", "contact"], text)
        written = markdown(data_card(make_dataset(card=card)))
        line = next(line for line in written.splitlines() if "**Description**" in line)
        words = line.removeprefix("- **Description**: ")
        assert re.sub(r"\\(.)", r"\1", words) == " ".join(text.split())
        assert not re.search(r"(?<!\\)[<>*_`|\[\]]|^#|(?<!\\)&\w+;|(?<!\\)~~", words)
        assert not re.match(r"\d+[.)] |[-+] ", words)

    def test_an_address_stays_as_it_is(self):
        address = "https://example.org/my_data_set/a-b.c?d=1&e=2#f_g~h"
        card = {**make_dataset().card, "source": address}
        assert f": {address}\n" in markdown(data_card(make_dataset(card=card)))

    def test_each_fold_is_described(self):
        assert "**Parts of fold 2**" in markdown(data_card(make_dataset(folds=3)))


class TestFigures:
    def test_same_data_same_bytes(self, dataset, tmp_path):
        for name in ("one", "two"):
            save_figure(parts_figure(dataset.counts, SPECIES), tmp_path / name / "parts")
            save_figure(sizes_figure(dataset.sizes, SPECIES), tmp_path / name / "sizes")
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()

    def test_an_absent_species_is_shown_as_none(self, dataset):
        texts = [
            text.get_text() for axis in parts_figure(dataset.counts, SPECIES).axes for text in axis.texts
        ]
        assert texts.count("none") == 4 + 3 + 2  # MAS in all parts, FOL-SP in three, ISO-MIN in two
        rows = parts_figure(dataset.counts, SPECIES).axes[0].findobj(AnnotationBbox)
        names = [row.offsetbox.get_children()[0].get_children()[0] for row in rows]
        # Of "Folsomia sp." the genus alone.
        assert [name.get_fontstyle() for name in names] == ["italic", "italic", "italic", "normal"]

    def test_sizes_in_micrometres_have_a_panel_where_they_are_known(self, dataset):
        assert len(sizes_figure(dataset.sizes, SPECIES).axes) == 2
        unknown = dataset.sizes.assign(um_per_pixel=float("nan"))
        assert len(sizes_figure(unknown, SPECIES).axes) == 1

    def test_a_study_without_any_specimen_can_be_drawn(self):
        empty = make_dataset([(f"{k}", f"{k}", None, None, None, []) for k in range(4)])
        html, _ = render_dataset(empty)
        assert "0 specimens of 4 species" in Page(html).text
