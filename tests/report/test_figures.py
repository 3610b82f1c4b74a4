"""Figures: image files with the right axes, and in them the numbers of the run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.report.runs import EV, FCC, KINDS, PROXY, MadeRun, made_runs, record, relaxed, stored

from nucleate.crystal.candidate import Origin
from nucleate.crystal.crystal import Crystal
from nucleate.phonons.dynamics import Bands
from nucleate.powder import agreement, radiation, read_pattern
from nucleate.relax.outcome import Failed, FailReason
from nucleate.report.content import read_run
from nucleate.report.energy_volume import energy_volume_figure
from nucleate.report.export import export_run
from nucleate.report.figure import LONGEST_TEXT, ShownFigure, figure_text
from nucleate.report.phonons import phonon_figure, write_tables
from nucleate.report.powder import powder_figure, write_fit, write_pattern
from nucleate.report.trajectory import WINDOW_EV_PER_ATOM, trajectory_figure
from nucleate.search.record import SearchUpdate

mpl.use("Agg")


def size_of(figure: ShownFigure, dpi: int = 100) -> tuple[int, int]:
    """Return the size of the image that a figure makes; it is not blank."""
    image = Image.open(io.BytesIO(figure.to_png(dpi=dpi)))
    assert image.format == "PNG"
    assert len(image.convert("L").getcolors(maxcolors=256)) > 5
    return image.size


def points_in(axes) -> np.ndarray:
    """Return the places of all dots, shape (n, 2)."""
    return np.concatenate(
        [np.asarray(c.get_offsets()) for c in axes.collections] or [np.zeros((0, 2))]
    )


@settings(max_examples=8)
@given(made_runs(with_added=False), st.sampled_from(["low", "high"]))
def test_energy_against_volume_shows_every_structure_in_the_window(run: MadeRun, tier) -> None:
    records = [item for item, _ in run.told]
    figure = energy_volume_figure(records, tier, title="Cu")
    (axes,) = figure.axes
    done = [found for item in records if (found := item.relaxed_by(tier)) is not None]
    assert axes.get_xlabel() == "volume (Å³/atom)"
    if not done:
        assert "no structure has been relaxed" in axes.texts[0].get_text()
        return
    lowest = min(found.enthalpy_per_atom for found in done)
    window = WINDOW_EV_PER_ATOM if tier == "high" else np.inf
    expected = sorted(
        (found.crystal.volume_per_atom, found.enthalpy_per_atom)
        for found in done
        if found.enthalpy_per_atom - lowest <= window
    )
    np.testing.assert_allclose(sorted(map(tuple, points_in(axes).tolist())), expected)
    (star,) = axes.lines
    assert star.get_ydata()[0] == lowest
    unit = "eV" if tier == "high" else "arbitrary units"
    assert axes.get_ylabel() == f"enthalpy ({unit}/atom), {tier}"
    families = {
        item.candidate.origin.family for item in records
        if (f := item.relaxed_by(tier)) is not None and f.enthalpy_per_atom - lowest <= window
    }  # fmt: skip
    assert {text.get_text() for text in axes.get_legend().get_texts()} == families


@settings(max_examples=8)
@given(made_runs(with_added=False))
def test_the_trajectory_has_a_point_for_every_energy(run: MadeRun) -> None:
    (axes,) = trajectory_figure(run.told, "low", title="Cu").axes
    found = [(k, item.relaxed_by("low")) for k, (item, _) in enumerate(run.told)]
    places = [k for k, done in found if done is not None]
    assert axes.get_xlabel() == "structure"
    assert sorted(points_in(axes)[:, 0].tolist()) == places
    if places:
        lowest = min(done.enthalpy_per_atom for _, done in found if done is not None)
        best = {str(line.get_label()): line.get_ydata() for line in axes.lines}["best"]
        assert best[-1] == lowest
        assert np.nanmin(points_in(axes)[:, 1]) == lowest


def test_figures_are_images_of_their_size() -> None:
    told = [(record(k, ("low", relaxed(KINDS[1][k % 2], -k)), origin=Origin("blocks")), None)
            for k in range(4)]  # fmt: skip
    figure = energy_volume_figure([item for item, _ in told], "low", title="Cu")
    assert size_of(figure) == (600, 450)
    assert size_of(figure, dpi=50) == (300, 225)
    assert figure._repr_png_() == figure.to_png()


def test_the_exported_trajectory_is_an_image(tmp_path: Path) -> None:
    with stored(
        MadeRun(
            [
                (
                    record(0, ("low", relaxed(FCC, -1.0))),
                    SearchUpdate(new_minimum=True, current=0, best=0),
                )
            ]
        )
    ) as folder:
        export_run(folder, out=tmp_path)
        assert read_run(folder).told
    with Image.open(tmp_path / "trajectory.png") as image:
        assert (image.format, image.size) == ("PNG", (1200, 675))


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_name_is_one_short_line_of_plain_text(text: str) -> None:
    shown = figure_text(text)
    assert len(shown.replace(r"\$", "$")) <= LONGEST_TEXT + 1
    assert "\n" not in shown
    assert not shown.startswith("_")
    assert "$" not in shown.replace(r"\$", "")


HOSTILE = "_$x_{$ \\frac{ \n" + "a" * 300
SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A pattern of salt, and how salt and CsCl agree with it."""
    path = tmp_path_factory.mktemp("pattern") / "salt.xy"
    write_pattern(path, SALT, title="salt")
    rays = radiation("CuKa")
    pattern = read_pattern(path, rays)
    other = Crystal.from_ase(bulk("CsCl", "cesiumchloride", a=4.12))
    return pattern, [
        ("salt", agreement(SALT, pattern, rays)),
        ("$x_{$ \\frac{", agreement(other, pattern, rays)),
    ]


def test_a_powder_figure_has_a_panel_for_each_structure(measured) -> None:
    pattern, fits = measured
    figure = powder_figure(pattern, fits)
    assert len(figure.axes) == 2
    assert figure.axes[-1].get_xlabel() == "2θ (°)"
    assert size_of(figure, dpi=50) == (400, 280)
    for axes, (_, fit) in zip(figure.axes, fits, strict=True):
        lines = {str(line.get_label()): line for line in axes.lines}
        assert set(lines) == {"measured", "calculated", "background", "difference"}
        np.testing.assert_array_equal(lines["measured"].get_ydata(), pattern.intensity)
        np.testing.assert_array_equal(lines["calculated"].get_ydata(), fit.calculated)
        difference = np.asarray(lines["difference"].get_ydata())
        gaps = difference - (pattern.intensity - fit.calculated)
        assert np.ptp(gaps) < 1e-9, "shifted as a whole"
        assert difference.max() < min(pattern.intensity.min(), fit.background.min())
        assert axes.get_xlim() == (pattern.two_theta[0], pattern.two_theta[-1])
        assert f"R_wp {fit.r_wp:.1f} %" in axes.get_title(loc="left")


def test_a_fit_is_written_as_columns(measured, tmp_path: Path) -> None:
    pattern, fits = measured
    write_fit(tmp_path / "fit.txt", pattern, *fits[0])
    table = np.loadtxt(tmp_path / "fit.txt")
    assert table.shape == (len(pattern.two_theta), 5)
    np.testing.assert_allclose(table[:, 0], pattern.two_theta, rtol=1e-4)
    np.testing.assert_allclose(table[:, 1] - table[:, 2], table[:, 4], atol=0.02)
    assert (tmp_path / "fit.txt").read_text(encoding="utf-8").startswith("# salt, R_wp ")


def made_phonons(lowest: float) -> SimpleNamespace:
    """Return three bands between two points, the lowest at this frequency in THz."""
    distance = np.linspace(0.0, 0.5, 21)
    frequencies = np.column_stack([lowest * np.sin(np.pi * distance), 3 + distance, 5 - distance])
    bands = Bands(distance=distance, frequencies=frequencies, ticks=(0.0, 0.5), labels=("G", "X"))
    mesh = np.linspace(min(lowest, 0.0), 6.0, 50)
    states = np.exp(-((mesh - 4.0) ** 2))
    return SimpleNamespace(bands=lambda: bands, density_of_states=lambda: (mesh, states))


@pytest.mark.parametrize(("lowest", "shaded"), [(2.0, 0), (-2.0, 1)])
def test_imaginary_frequencies_are_below_zero_and_shaded(lowest: float, shaded: int) -> None:
    phonons = made_phonons(lowest)
    figure = phonon_figure(phonons, title=HOSTILE)
    left, right = figure.axes
    assert left.get_ylabel() == "frequency (THz), imaginary below 0"
    assert right.get_xlabel() == "states per THz"
    assert [text.get_text() for text in left.get_xticklabels()] == ["Γ", "X"]
    assert left.get_xlim() == (0.0, 0.5)
    assert len(left.patches) == len(right.patches) == shaded
    curves = np.array([line.get_ydata() for line in left.lines if len(line.get_ydata()) == 21])
    np.testing.assert_array_equal(curves.T, phonons.bands().frequencies)
    assert right.get_xlim()[0] == 0.0
    assert size_of(figure) == (750, 420)


def test_phonons_are_written_as_tables(tmp_path: Path) -> None:
    phonons = made_phonons(-1.0)
    write_tables(tmp_path, phonons)
    head, *lines = (tmp_path / "bands.csv").read_text(encoding="utf-8").splitlines()
    assert head == "distance_per_angstrom,band_1_thz,band_2_thz,band_3_thz"
    table = np.array([line.split(",") for line in lines], dtype=float)
    np.testing.assert_allclose(table[:, 0], phonons.bands().distance, atol=1e-6)
    np.testing.assert_allclose(table[:, 1:], phonons.bands().frequencies, atol=1e-6)
    head, *lines = (tmp_path / "dos.csv").read_text(encoding="utf-8").splitlines()
    assert head == "frequency_thz,states_per_thz_and_primitive_cell"
    assert len(lines) == 50


@pytest.mark.parametrize("level", [EV, PROXY])
def test_failures_are_not_drawn(level) -> None:
    good = relaxed(FCC, -1.0, level=level)
    items = [record(0, ("low", good)), record(1, ("low", Failed(FailReason.TIMEOUT, "late")))]
    items.append(replace(items[0], number=2, outcomes=()))
    (axes,) = energy_volume_figure(items, "low", title="Cu").axes
    assert len(points_in(axes)) == 1
