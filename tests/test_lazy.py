"""Names of the package are imported on first use, and stay functions where modules share them."""

import subprocess
import sys
from types import ModuleType

import pytest

import nucleate
import nucleate.api


@pytest.mark.parametrize("package", [nucleate, nucleate.api], ids=lambda package: package.__name__)
def test_every_public_name_is_there_and_no_module(package):
    for name in package.__all__:
        value = getattr(package, name)
        assert not isinstance(value, ModuleType), name
        assert name in dir(package)


def test_a_function_stays_one_when_its_module_is_imported():
    code = (
        "import nucleate, nucleate.api, nucleate.relax.outcome, nucleate.api.check\n"
        "from nucleate import relax\n"
        "from nucleate.api import check\n"
        "assert callable(relax) and callable(check) and callable(nucleate.api.check)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_state_of_a_folder_needs_no_compiler(tmp_path):
    code = (
        "import sys\n"
        "from nucleate import api\n"
        f"assert not (api.holds_run({str(tmp_path)!r}) or api.holds_map({str(tmp_path)!r}))\n"
        f"assert not api.holds_many({str(tmp_path)!r})\n"
        "import nucleate.report.status, nucleate.api.run\n"
        "assert not {'numba', 'torch', 'scipy', 'nucleate.exact'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        nucleate.nonsense  # noqa: B018
