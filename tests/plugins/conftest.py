from tests.cli.conftest import nucleate as cli  # noqa: F401
