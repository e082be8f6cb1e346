"""A carrier's bill against our own calls."""

from loaders.reconcile.comparing import CLASSES, Reconciliation, reconcile
from loaders.reconcile.question import Question

__all__ = ["CLASSES", "Question", "Reconciliation", "reconcile"]
