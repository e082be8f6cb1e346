"""The meanings a column may be given, in the words of a person who knows bills."""

from __future__ import annotations

from loaders.layouts.catalogue import CARRIER_CHARGE, MAPPED_USAGE
from loaders.layouts.layout import Layout

GENERIC = {"cdr": MAPPED_USAGE, "sdr": CARRIER_CHARGE}

_USAGE = {
    "start_time": "Start: date and time",
    "start_date": "Start: date only",
    "start_clock": "Start: time of day only",
    "answer_time": "Answer: date and time",
    "end_time": "End: date and time",
    "duration": "Duration, ringing included",
    "billable_duration": "Billable duration (talk time)",
    "calling_number": "From: calling number",
    "called_number": "To: called number",
    "calling_name": "Name of the caller",
    "direction": "Direction (in, out, internal)",
    "disposition": "Outcome (answered, busy, ...)",
    "cause_code": "Release cause",
    "usage_type": "Usage type (call, message, data)",
    "quantity": "Messages: number of parts",
    "bytes_up": "Data: bytes sent",
    "bytes_down": "Data: bytes received",
    "account_key": "Customer account",
    "service_key": "Service or billing number",
    "trunk": "Trunk or channel",
    "lrn": "Routing number (LRN)",
    "carrier_amount": "Carrier's price of the record",
    "currency_code": "Currency of the price",
    "category": "Destination or category name",
    "message_text": "Messages: the text (only its segments are kept on)",
    "message_encoding": "Messages: encoding of the text",
    "visited_network": "Visited network abroad (TADIG or MCC-MNC)",
    "record_id": "Unique record number",
    "call_group": "Number shared by the legs of a call",
}
_CHARGES = {
    "account_key": "Customer account",
    "service_key": "Service, line or circuit",
    "product_code": "Product code",
    "description": "Description",
    "charge_type": "Kind of charge (rental, one-off, ...)",
    "period_from": "Period: first day",
    "period_to": "Period: last day",
    "event_date": "Date of the charge",
    "quantity": "Quantity",
    "unit_price": "Price of one",
    "net_amount": "Net amount",
    "tax_code": "Tax code",
    "tax_amount": "Tax amount",
    "gross_amount": "Gross amount",
    "currency_code": "Currency",
    "order_ref": "Order reference",
    "record_id": "Unique charge number",
}


def choices(kind: str) -> dict[str, str]:
    """What a column of such a file may be, for a select."""
    return {"": "do not use", **(_USAGE if kind == "cdr" else _CHARGES)}


def in_words(layout: Layout, column: str) -> str:
    """A landing column of a generic layout as a person calls it."""
    words = _USAGE if layout is MAPPED_USAGE else _CHARGES
    return words.get(column, column)
