"""Run control: which work set is rated, by whom, with what code, and whether it counts."""

from loaders.runs.code_version import CodeVersion, code_version
from loaders.runs.errors import (
    InvoiceRunRefused,
    RunAbandoned,
    RunAlreadyAtWork,
    RunDoesNotBalance,
)
from loaders.runs.invoice import (
    DraftResult,
    InvoiceRun,
    bill_groups,
    choose_bill_groups,
    close_invoice_run,
    fail_invoice_run,
    open_invoice_run,
    parse_period,
)
from loaders.runs.pairing import open_pairing_run, records_to_retry
from loaders.runs.rating import (
    RatingRun,
    close_rating_run,
    fail_rating_run,
    open_rating_run,
    open_reprocess_run,
    resume_rating_run,
)
from loaders.runs.suspense import (
    SuspenseFilters,
    SuspenseGroup,
    filters_from_config,
    parse_day,
    preview_reprocess,
)
from loaders.runs.whatif import Outcome, what_reprocess_would_clear
from loaders.runs.withdraw import (
    WithdrawalPreview,
    drafts_out_of_date,
    is_withdrawn,
    open_restore_run,
    open_withdraw_run,
    preview_restore,
    preview_withdrawal,
)
from loaders.runs.withdrawal import WithdrawalRefused, refuse_invoices

__all__ = [
    "CodeVersion",
    "DraftResult",
    "InvoiceRun",
    "InvoiceRunRefused",
    "Outcome",
    "RatingRun",
    "RunAbandoned",
    "RunAlreadyAtWork",
    "RunDoesNotBalance",
    "SuspenseFilters",
    "SuspenseGroup",
    "WithdrawalPreview",
    "WithdrawalRefused",
    "bill_groups",
    "choose_bill_groups",
    "close_invoice_run",
    "close_rating_run",
    "code_version",
    "drafts_out_of_date",
    "fail_invoice_run",
    "fail_rating_run",
    "filters_from_config",
    "is_withdrawn",
    "open_invoice_run",
    "open_pairing_run",
    "open_rating_run",
    "open_reprocess_run",
    "open_restore_run",
    "open_withdraw_run",
    "parse_day",
    "parse_period",
    "preview_reprocess",
    "preview_restore",
    "preview_withdrawal",
    "records_to_retry",
    "refuse_invoices",
    "resume_rating_run",
    "what_reprocess_would_clear",
]
