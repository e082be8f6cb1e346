"""What can go wrong with a run, in words an operator can act on."""

from __future__ import annotations

from loaders.errors import RatehouseError


class RunAlreadyAtWork(RatehouseError):
    """Another process holds the warehouse: two writers never overlap."""


class RunAbandoned(RatehouseError):
    """This attempt lost its run: a later attempt renewed the token, or somebody closed it."""


class RunDoesNotBalance(RatehouseError):
    """A rating run counted more or fewer records than its files hold. Nothing of it counts."""


class InvoiceRunRefused(RatehouseError):
    """The invoice run of this period and bill group may not be rebuilt."""


class PostingRefused(RatehouseError):
    """A billing run may not be approved, posted, taken back or closed as it stands."""
