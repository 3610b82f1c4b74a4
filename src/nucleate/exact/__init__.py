"""Exact placement on grids: integer programs, proofs, certificates and their checker."""

from nucleate.exact.certificate import Certificate
from nucleate.exact.check import check_certificate
from nucleate.exact.options import SessionOptions
from nucleate.exact.session import prove_session
from nucleate.exact.stop import compare

__all__ = ["Certificate", "SessionOptions", "check_certificate", "compare", "prove_session"]
