"""The layouts this version reads: the profiles, and the two generic ones.

A profile (``profiles/<code>.toml``) is data. What stands here in Python is what data cannot say:
``mapped_usage`` and ``carrier_charge`` take any file whose header words or column map give its
columns a meaning.
"""

from __future__ import annotations

from loaders.layouts.layout import DELIMITER_NAMES, Layout
from loaders.layouts.profile import read_profiles

# How files of mapped columns are written, where a source says it instead of leaving it to the file.
_WRITTEN = {
    "delimiter": ("auto", *DELIMITER_NAMES),
    "first_line": ("auto", "names", "values"),
}


def _extras(count: int) -> tuple[str, ...]:
    return tuple(f"extra_{number:02d}" for number in range(1, count + 1))


MAPPED_USAGE = Layout(
    code="mapped_usage",
    title="Usage with mapped columns",
    file_kind="cdr",
    is_generic=True,
    table_columns=(
        "record_id", "call_group", "usage_type", "start_time", "start_date", "start_clock",
        "answer_time", "end_time", "duration", "billable_duration", "quantity", "bytes_up",
        "bytes_down", "calling_number", "called_number", "calling_name", "direction",
        "disposition", "cause_code", "account_key", "service_key", "trunk", "lrn",
        "carrier_amount", "currency_code", "category", "message_text", "message_encoding",
        "visited_network", *_extras(20),
    ),
    unassigned_source="unassigned_mapped",
    aliases={
        "record_id": ("record_id", "recordid", "cdr_id", "unique_id", "uniqueid",
                      "transaction_id", "transactionid", "acctid", "event_id", "usage_id", "id"),
        "call_group": ("call_group", "call_id", "callid", "linkedid", "sip_call_id",
                       "globalcallid_callid", "grouping_id", "historyid"),
        "usage_type": ("usage_type", "message_type"),
        "start_time": ("start_time", "call_start", "call_start_time", "callstartdatetime",
                       "call_start_date_time", "start_datetime", "start_date_time", "starttime",
                       "start_timestamp", "start", "time_start", "call_datetime",
                       "call_date_time", "calldatetime", "datetime", "date_time", "starting_date",
                       "calldate", "created_at", "eventtimestamp", "event_time",
                       "datetimeorigination", "setup_time", "timestamp", "begin_time"),
        "start_date": ("call_date", "start_date", "usage_date", "date", "event_date"),
        "start_clock": ("call_time", "start_clock", "time_of_day", "time", "clock"),
        "answer_time": ("answer_time", "answered_at", "time_answer", "time_answered", "answer",
                        "time_call_answered", "connect_time", "datetimeconnect"),
        "end_time": ("end_time", "call_end", "callenddatetime", "stop_time", "stoptime",
                     "time_release", "release_time", "time_end", "disconnect_time",
                     "datetimedisconnect", "end"),
        "duration": ("duration", "total_duration", "call_duration", "callduration",
                     "duration_seconds", "duration_secs", "duration_sec", "duration_s",
                     "acctsessiontime", "seconds", "length", "elapsed"),
        "billable_duration": ("billable_duration", "billable_seconds", "billsec", "bill_sec",
                              "billduration", "bill_duration", "billed_seconds",
                              "billed_duration", "chargeable_duration", "time_talking",
                              "talk_time", "talk_seconds", "conversation_time"),
        "quantity": ("quantity", "qty", "parts", "segments", "units"),
        "bytes_up": ("bytes_up", "bytes_transmitted", "acctinputoctets", "upload_bytes"),
        "bytes_down": ("bytes_down", "bytes_received", "acctoutputoctets", "download_bytes"),
        "calling_number": ("calling_number", "calling_party_number", "callingpartynumber",
                           "calling_party", "source_number", "caller_id_number", "src",
                           "source", "caller_number", "caller", "callsource", "call_from",
                           "from_number", "from_no", "from", "a_number", "anumber", "ani", "cli",
                           "caller_id", "callerid", "calling", "orig_from_user",
                           "originating_number", "orig_number"),
        "called_number": ("called_number", "called_party_number", "destination_number", "dst",
                          "destination", "calldestination", "call_to", "to_number", "to_no",
                          "to", "b_number", "bnumber", "dnis", "cld", "dialed_number",
                          "dialled_number", "dialed_digits", "dialled_digits",
                          "number_dialled", "number_dialed", "non_charged_party",
                          "telephone_number_dialled", "originalcalledpartynumber",
                          "orig_req_user", "called", "terminating_number", "remote_number"),
        "calling_name": ("calling_name", "caller_name", "caller_id_name", "clid",
                         "orig_from_name"),
        "direction": ("direction", "call_direction"),
        "disposition": ("disposition", "call_status", "answer_status", "call_result", "result"),
        "cause_code": ("cause_code", "release_cause", "hangup_cause", "hangup_cause_id",
                       "call_cause", "release_code", "cause", "acctterminatecause",
                       "origcause_value"),
        "account_key": ("account_key", "account_no", "account_number", "accountnumber",
                        "account_code", "accountcode", "customer_account_code", "account_id",
                        "account", "customer_identifier", "customer_id", "customer", "tenant"),
        "service_key": ("service_key", "service_number", "service_id", "btn",
                        "billing_number", "charged_number", "username", "user"),
        "trunk": ("trunk", "trunk_group", "trunk_name", "route"),
        "lrn": ("lrn",),
        "carrier_amount": ("carrier_amount", "salesprice", "call_cost", "callprice", "cost",
                           "cost_ex", "total_cost", "amount", "charge", "price", "buy_cost"),
        "currency_code": ("currency_code", "currency"),
        "category": ("category", "call_type", "calltype", "call_class", "call_category",
                     "billing_classification", "destination_name"),
        "message_text": ("message_text", "message_body", "sms_text", "message_content"),
        "message_encoding": ("message_encoding", "encoding", "data_coding", "character_set"),
        "visited_network": ("visited_network", "visited_plmn", "serving_network", "tadig",
                            "tadig_code", "mccmnc", "mcc_mnc", "vplmn"),
    },
    overflow=_extras(20),
    date_columns=("start_time", "start_date"),
    # usage_type: of lines that do not say it themselves.
    options={**_WRITTEN, "usage_type": ("voice", "sms", "mms", "data")},
)  # fmt: skip

CARRIER_CHARGE = Layout(
    code="carrier_charge",
    title="Charges with mapped columns",
    file_kind="sdr",
    is_generic=True,
    table_columns=(
        "record_id", "account_key", "service_key", "product_code", "description",
        "charge_type", "period_from", "period_to", "event_date", "quantity", "unit_price",
        "net_amount", "tax_code", "tax_amount", "gross_amount", "currency_code", "order_ref",
        *_extras(10),
    ),
    unassigned_source="unassigned_charges",
    aliases={
        "record_id": ("record_id", "recordid", "charge_id", "transaction_id", "line_id",
                      "unique_id", "id"),
        "account_key": ("account_key", "account_no", "account_number", "accountnumber",
                        "account_code", "account_id", "account", "customer_account",
                        "customer_reference", "customer_id", "customer", "billing_account",
                        "tenantcode"),
        "service_key": ("service_key", "cli", "service_number", "service_id", "circuit_id",
                        "circuit", "circuit_reference", "telephone_number", "phone_number",
                        "line_number", "ddi", "msisdn", "service", "number", "userid"),
        "product_code": ("product_code", "productcode", "product_id", "product", "item_code",
                         "charge_code", "partnumber", "part_number", "feature_code", "usoc",
                         "sku"),
        "description": ("description", "product_description", "charge_description",
                        "billing_description", "productname", "product_name", "item",
                        "details", "narrative"),
        "charge_type": ("charge_type", "chargetype", "event_type", "item_type", "frequency",
                        "type"),
        "period_from": ("period_from", "from_date", "fromdate", "date_from", "start_date",
                        "period_start", "charge_from", "bill_from", "from", "begin_date",
                        "first_payment"),
        "period_to": ("period_to", "to_date", "todate", "date_to", "end_date", "period_end",
                      "charge_to", "bill_to", "to", "last_payment"),
        "event_date": ("event_date", "charge_date", "transaction_date", "effective_date",
                       "date", "invoice_date"),
        "quantity": ("quantity", "qty", "units", "item_count"),
        "unit_price": ("unit_price", "unitprice", "unit_cost", "unit_charge", "price",
                       "rental"),
        "net_amount": ("net_amount", "netamount", "net", "amount_ex_tax", "amount_ex_vat",
                       "amount", "charge_amount", "total_ex_vat", "cost", "charge", "value",
                       "total_cost", "total"),
        "tax_code": ("tax_code", "vat_code", "vat_rate_code", "gst_code"),
        "tax_amount": ("tax_amount", "vat_amount", "vat", "tax", "gst"),
        "gross_amount": ("gross_amount", "gross", "amount_inc_tax", "amount_inc_vat",
                         "total_inc_vat"),
        "currency_code": ("currency_code", "currency"),
        "order_ref": ("order_ref", "order_reference", "order_no", "order_number", "order_id",
                      "po_number", "purchase_order"),
    },
    overflow=_extras(10),
    date_columns=("period_from", "event_date"),
    options=_WRITTEN,
)  # fmt: skip

# The named layouts first: among equals the first is taken.
LAYOUTS: dict[str, Layout] = {
    layout.code: layout for layout in (*read_profiles(), MAPPED_USAGE, CARRIER_CHARGE)
}
