"""Files of measured patterns, good and bad."""

import numpy as np
import pytest

from nucleate import InputError
from nucleate.powder import radiation, read_pattern

ANGLES = np.arange(10.0, 60.0, 0.1)
COUNTS = 100.0 + 50.0 * np.sin(ANGLES) ** 2


def text(separator=" ", columns=2):
    table = [ANGLES, COUNTS, np.sqrt(COUNTS)][:columns]
    return "\n".join(separator.join(f"{v:.4f}" for v in row) for row in zip(*table, strict=True))


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";", ", "])
@pytest.mark.parametrize("head", ["", "# Bruker export\n", "2theta,counts\n", "'sample 7'\n\n"])
@pytest.mark.parametrize("columns", [2, 3])
def test_dialects_give_the_same_pattern(tmp_path, separator, head, columns):
    path = tmp_path / "pattern.xy"
    path.write_bytes(("\ufeff" + head + text(separator, columns)).replace("\n", "\r\n").encode())
    found = read_pattern(path, radiation("CuKa"))
    assert found.two_theta == pytest.approx(ANGLES)
    assert found.intensity == pytest.approx(COUNTS, abs=1e-4)
    assert found.sigma == pytest.approx(np.sqrt(COUNTS), abs=1e-3)


def with_line(number, line):
    lines = text().splitlines()
    lines[number - 1] = line
    return "\n".join(lines)


BAD = {
    "a word": (with_line(50, "sample two"), "line 50.*not two or three numbers"),
    "nan": (with_line(50, "14.9 nan"), "line 50.*not finite"),
    "a step back": (with_line(50, "12.0 100"), "line 50.*not larger"),
    "twice the same": (with_line(50, "14.8 100"), "line 50.*not larger"),
    "a gap": ("\n".join(text().splitlines()[:200] + text().splitlines()[230:]), "line 201.*gap"),
    "radians": ("\n".join(f"{a / 100:.5f} 5" for a in ANGLES), "spans at least 10"),
    "few points": ("10 5\n11 6\n", "2 lines"),
    "no intensity": ("\n".join(f"{a:.2f} 0" for a in ANGLES), "no intensity"),
    "another wavelength": ("# Wavelength: 0.7093 Å\n" + text(), "line 1.*0.7093.*--wavelength"),
    "xml": ("<?xml version='1.0'?><xrdMeasurements/>", "XML"),
    "empty": ("", "0 lines"),
    "zero sigma": ("\n".join(f"{a:.2f} 5 0" for a in ANGLES), "line 1: the standard deviation"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_name_the_line_and_the_remedy(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / "pattern.xy"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_pattern(path, radiation("CuKa"))


@pytest.mark.parametrize("raw", [b"PK\x03\x04brml", b"RAW4.00\0\0\0"])
def test_binary_formats_are_refused(tmp_path, raw):
    path = tmp_path / "pattern.raw"
    path.write_bytes(raw)
    with pytest.raises(InputError, match="binary"):
        read_pattern(path, radiation("CuKa"))


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_pattern(tmp_path / "none.xy", radiation("CuKa"))


def test_the_wavelength_in_the_head_may_be_one_of_the_doublet(tmp_path):
    path = tmp_path / "pattern.xy"
    path.write_text("# wavelength = 1.5406\n" + text())
    assert len(read_pattern(path, radiation("CuKa")).two_theta) == len(ANGLES)
