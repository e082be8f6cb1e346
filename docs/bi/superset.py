"""Builds the example dashboard in Apache Superset, through its REST API; again, it updates it.

    python docs/bi/superset.py --superset http://127.0.0.1:8088 --user admin \
        --database postgresql://bi_reader@127.0.0.1:26069/ratehouse

Passwords come from SUPERSET_PASSWORD and RATEHOUSE_READER_PASSWORD. Needs Python alone: Superset
has a virtual environment of its own. It reads the descriptions of tables and columns from the
database; the joined data set gets them from there too.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DATABASE = "Ratehouse"
DASHBOARD = "Traffic and revenue"
TABLES = (
    "fct_rated_usage", "fct_invoice", "fct_suspense", "fct_usage_in_zone", "fct_carrier_usage",
    "dim_account", "dim_source", "dim_plan", "dim_deck", "dim_destination", "dim_date",
)  # fmt: skip
# The star joined once, for charts. Superset wraps a time filter on started_at around it, which
# PostgreSQL pushes down: only the months that are looked at are read.
JOINED = "rated_usage_joined"
JOINED_SQL = """
select
    usage.started_at, usage.usage_date, usage.usage_hour, usage.leg_no, usage.state,
    usage.disposition, usage.usage_type, usage.direction, usage.charge_class,
    usage.retail_billed_seconds, usage.retail_amount, usage.currency_code,
    usage.cost_amount, usage.margin_amount, usage.called_number_masked,
    account.account_code, account.bill_group, source.source_code, source.carrier_code,
    plan.plan_code, destination.destination_name, destination.country_code,
    calendar.weekday_no || ' ' || calendar.weekday_name as weekday
from marts.fct_rated_usage as usage
left join marts.dim_account as account on usage.account_id = account.account_id
left join marts.dim_source as source on usage.source_id = source.source_id
left join marts.dim_plan as plan on usage.plan_id = plan.plan_id
left join marts.dim_destination as destination on usage.retail_prefix = destination.prefix
left join marts.dim_date as calendar on usage.usage_date = calendar.calendar_date
"""


@dataclass(frozen=True)
class Metric:
    """A number that charts share."""

    name: str
    label: str
    expression: str
    number_format: str
    description: str


METRICS = (
    Metric("calls", "Calls", "count(*) filter (where leg_no = 1)", ",d",
           "Records; a call between two customers counts once."),
    Metric("answered_share", "Answered", "count(*) filter (where leg_no = 1 and disposition = "
           "'answered')::numeric / nullif(count(*) filter (where leg_no = 1), 0)", ".1%",
           "Answered calls of all calls (ASR)."),
    Metric("billed_minutes", "Billed minutes", "sum(retail_billed_seconds) / 60.0", ",.0f",
           "Minutes billed to customers."),
    Metric("revenue", "Revenue", "sum(retail_amount) filter (where state = 'billed')", ",.2f",
           "What usage is billed at, without fees and taxes; choose one currency."),
    Metric("cost", "Cost", "sum(cost_amount)", ",.2f", "What carriers take for it."),
    Metric("margin", "Margin", "sum(margin_amount) filter (where state = 'billed')", ",.2f",
           "Revenue minus cost of billed usage whose cost is known."),
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A chart and its place on the dashboard: twelve columns a row."""

    title: str
    kind: str
    dataset: str
    row: int
    width: int
    height: int
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def where(column: str, value: str) -> dict[str, str]:
    """A filter of a chart."""
    return {
        "expressionType": "SIMPLE", "subject": column, "operator": "==", "comparator": value,
        "clause": "WHERE",
    }  # fmt: skip


def big_number(
    title: str, metric: str, note: str, filters: Sequence[dict[str, str]] = ()
) -> Chart:
    """One figure."""
    number_format = next(m.number_format for m in METRICS if m.name == metric)
    options = {
        "metric": metric, "y_axis_format": number_format, "header_font_size": 0.4,
        "subtitle": note, "subtitle_font_size": 0.125, "adhoc_filters": list(filters),
    }  # fmt: skip
    return Chart(title, "big_number_total", JOINED, 0, 3, 20, options)


def bars(column: str, metric: str, number_format: str) -> dict[str, Any]:
    """The ten largest, the largest on top."""
    return {
        "x_axis": column, "metrics": [metric], "groupby": [], "orientation": "horizontal",
        "x_axis_sort": metric, "x_axis_sort_asc": True, "row_limit": 10, "show_legend": False,
        "show_value": True, "y_axis_format": number_format, "timeseries_limit_metric": metric,
        "order_desc": True,
    }  # fmt: skip


def charts(currency: str) -> tuple[Chart, ...]:
    """What the dashboard shows, row by row; amounts in one currency."""
    billed = [where("state", "billed"), where("currency_code", currency)]
    return (
        big_number("Calls", "calls", "each call once, answered or not"),
        big_number("Answered", "answered_share", "of all calls"),
        big_number(f"Usage revenue, {currency}", "revenue", "without fees and taxes", billed),
        big_number(
            f"Usage margin, {currency}", "margin", "revenue minus cost, where it is known", billed
        ),
        Chart(
            f"Revenue and cost of usage by day (UTC), {currency}", "echarts_timeseries_bar",
            JOINED, 1, 8, 48,
            {
                "x_axis": "started_at", "time_grain_sqla": "P1D", "metrics": ["revenue", "cost"],
                "groupby": [], "y_axis_format": ",.2f", "x_axis_time_format": "%d %b",
                "show_legend": True, "rich_tooltip": True, "row_limit": 10000,
                "truncate_metric": True, "x_axis_title_margin": 15, "y_axis_title_margin": 30,
                "legendOrientation": "top", "adhoc_filters": billed,
            },
        ),
        Chart(
            f"Revenue by class of call, {currency}", "echarts_timeseries_bar", JOINED, 1, 4, 48,
            bars("charge_class", "revenue", ",.0f") | {"adhoc_filters": billed},
        ),
        Chart(
            f"Accounts with most revenue, {currency}", "table", JOINED, 2, 6, 62,
            {
                "query_mode": "aggregate", "groupby": ["account_code", "bill_group"],
                "metrics": ["calls", "billed_minutes", "revenue", "cost", "margin"],
                "timeseries_limit_metric": "revenue", "order_desc": True, "row_limit": 1000,
                "page_length": 10,
                "adhoc_filters": billed, "show_totals": False,
                "column_config": {
                    m.name: {"d3NumberFormat": m.number_format} for m in METRICS
                },
            },
        ),
        Chart(
            "Calls by weekday and hour (UTC)", "heatmap_v2", JOINED, 2, 6, 62,
            {
                "x_axis": "usage_hour", "groupby": "weekday", "metric": "calls",
                "sort_x_axis": "alpha_asc", "sort_y_axis": "alpha_desc",
                "legend_type": "continuous", "linear_color_scheme": "superset_seq_1",
                "xscale_interval": 1, "yscale_interval": 1, "value_bounds": [None, None],
                "y_axis_format": ",d",
                "normalize_across": "heatmap", "show_legend": False, "row_limit": 10000,
                "left_margin": 75, "bottom_margin": 50,
            },
        ),
        Chart(
            "Destinations abroad with most billed minutes", "echarts_timeseries_bar", JOINED,
            3, 6, 62,
            bars("destination_name", "billed_minutes", ",.0f")
            | {"adhoc_filters": [*billed, where("charge_class", "international")]},
        ),
        Chart(
            "Records in suspense, and what they are worth", "table", "fct_suspense", 3, 6, 62,
            {
                "query_mode": "aggregate", "groupby": ["kind", "reason", "currency_code"],
                "metrics": [
                    {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "Records"},
                    {"expressionType": "SQL", "sqlExpression": "sum(at_risk_amount)",
                     "label": "At risk"},
                    {"expressionType": "SQL", "label": "Oldest file",
                     "sqlExpression": "min(received_at)::date::text"},
                ],
                "row_limit": 1000, "page_length": 10, "order_desc": True, "show_totals": False,
                "column_config": {
                    "Records": {"d3NumberFormat": ",d"}, "At risk": {"d3NumberFormat": ",.2f"},
                },
            },
        ),
    )  # fmt: skip


class Superset:
    """The calls that are needed, by name instead of number."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address.rstrip("/")
        self._token = ""
        answer = self.call(
            "POST", "security/login",
            {"username": user, "password": password, "provider": "db", "refresh": False},
        )  # fmt: skip
        self._token = answer["access_token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; a refusal is told with what the server said."""
        request = urllib.request.Request(
            f"{self._address}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def put(self, what: str, name_field: str, body: dict[str, Any], **fixed: Any) -> int:
        """Create it, or update what has the name; its number. `fixed` is only said at creation."""
        wanted = json.dumps({"col": name_field, "opr": "eq", "value": body[name_field]})
        filters = urllib.parse.quote(f"(filters:!({_rison(json.loads(wanted))}),page_size:100)")
        for found in self.call("GET", f"{what}/?q={filters}")["result"]:
            self.call("PUT", f"{what}/{found['id']}", body)
            return found["id"]
        return self.call("POST", f"{what}/", body | fixed)["id"]


def _rison(value: dict[str, str]) -> str:
    return "(" + ",".join(f"{k}:'{v.replace('!', '!!')}'" for k, v in value.items()) + ")"


def build(superset: Superset, database_uri: str, currency: str) -> int:
    """Connection, data sets, charts, dashboard; the number of the dashboard."""
    database = superset.put(
        "database", "database_name",
        {"database_name": DATABASE, "sqlalchemy_uri": database_uri, "expose_in_sqllab": True},
    )  # fmt: skip
    datasets, descriptions = {}, {}
    for table in TABLES:
        datasets[table] = superset.put(
            "dataset", "table_name", {"table_name": table}, database=database, schema="marts"
        )
        superset.call("PUT", f"dataset/{datasets[table]}/refresh")
        about = superset.call(
            "GET", f"database/{database}/table_metadata/?name={table}&schema=marts"
        )
        superset.call("PUT", f"dataset/{datasets[table]}", {"description": about.get("comment")})
        for column in superset.call("GET", f"dataset/{datasets[table]}")["result"]["columns"]:
            if column.get("description"):
                descriptions.setdefault(column["column_name"], column["description"])
    datasets[JOINED] = superset.put(
        "dataset", "table_name", {"table_name": JOINED, "sql": JOINED_SQL}, database=database,
        schema="marts",
    )  # fmt: skip
    superset.call("PUT", f"dataset/{datasets[JOINED]}/refresh")
    for name in (JOINED, "fct_suspense"):
        _describe(superset, datasets[name], descriptions, METRICS if name == JOINED else ())

    dashboard = superset.put("dashboard", "dashboard_title", {"dashboard_title": DASHBOARD})
    placed = []
    for chart in charts(currency):
        params = {"viz_type": chart.kind, "datasource": f"{datasets[chart.dataset]}__table"}
        params |= {"adhoc_filters": [], "color_scheme": "supersetColors"} | chart.options
        number = superset.put(
            "chart", "slice_name",
            {
                "slice_name": chart.title, "viz_type": chart.kind, "params": json.dumps(params),
                "datasource_id": datasets[chart.dataset], "datasource_type": "table",
                "dashboards": [dashboard],
            },
        )  # fmt: skip
        placed.append((chart, number))
    superset.call(
        "PUT", f"dashboard/{dashboard}",
        {
            "dashboard_title": DASHBOARD, "published": True,
            "position_json": json.dumps(_positions(placed)),
            "json_metadata": json.dumps(
                {
                    "color_scheme": "supersetColors",
                    "native_filter_configuration": _filters(placed, datasets[JOINED]),
                }
            ),
        },
    )  # fmt: skip
    return dashboard


def _describe(
    superset: Superset, dataset: int, descriptions: dict[str, str], metrics: Sequence[Metric]
) -> None:
    """Words for columns, and metrics beside those that are there."""
    present = superset.call("GET", f"dataset/{dataset}")["result"]
    columns = [
        {
            "id": column["id"], "column_name": column["column_name"],
            "verbose_name": column["column_name"].replace("_", " ").capitalize(),
            "description": column.get("description") or descriptions.get(column["column_name"]),
            "is_dttm": column["is_dttm"], "groupby": True, "filterable": True,
        }
        for column in present["columns"]
    ]  # fmt: skip
    known = {metric["metric_name"]: metric["id"] for metric in present["metrics"]}
    body: dict[str, Any] = {"columns": columns}
    if metrics:
        body |= {
            "main_dttm_col": "started_at",
            "description": "Rated usage with its dimensions. One row per leg: sum amounts over all "
            "rows, count calls where leg_no = 1.",
            "metrics": [
                {
                    "metric_name": metric.name, "verbose_name": metric.label,
                    "expression": metric.expression, "d3format": metric.number_format,
                    "description": metric.description,
                }
                | ({"id": known[metric.name]} if metric.name in known else {})
                for metric in metrics
            ],
        }  # fmt: skip
    superset.call("PUT", f"dataset/{dataset}", body)


def _filters(placed: list[tuple[Chart, int]], dataset: int) -> list[dict[str, Any]]:
    """Days and accounts to choose; suspense has neither."""
    common = {
        "type": "NATIVE_FILTER", "cascadeParentIds": [], "defaultDataMask": {}, "description": "",
        "scope": {
            "rootPath": ["ROOT_ID"],
            "excluded": [number for chart, number in placed if chart.dataset != JOINED],
        },
    }  # fmt: skip
    account = {"datasetId": dataset, "column": {"name": "account_code"}}
    return [
        common | {
            "id": "NATIVE_FILTER-days", "name": "Days (UTC)", "filterType": "filter_time",
            "targets": [{}], "controlValues": {"enableEmptyFilter": False},
        },
        common | {
            "id": "NATIVE_FILTER-account", "name": "Account", "filterType": "filter_select",
            "targets": [account],
            "controlValues": {
                "multiSelect": True, "searchAllOptions": True, "enableEmptyFilter": False,
                "defaultToFirstItem": False, "inverseSelection": False,
            },
        },
    ]  # fmt: skip


def _positions(placed: list[tuple[Chart, int]]) -> dict[str, Any]:
    """The grid: a row holds the charts of the same row number."""
    rows = sorted({chart.row for chart, _ in placed})
    positions: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {
            "type": "GRID", "id": "GRID_ID", "parents": ["ROOT_ID"],
            "children": [f"ROW-{row}" for row in rows],
        },
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": DASHBOARD}},
    }  # fmt: skip
    for row in rows:
        positions[f"ROW-{row}"] = {
            "type": "ROW", "id": f"ROW-{row}", "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
            "children": [f"CHART-{number}" for chart, number in placed if chart.row == row],
        }  # fmt: skip
    for chart, number in placed:
        positions[f"CHART-{number}"] = {
            "type": "CHART", "id": f"CHART-{number}", "children": [],
            "parents": ["ROOT_ID", "GRID_ID", f"ROW-{chart.row}"],
            "meta": {
                "chartId": number, "width": chart.width, "height": chart.height,
                "sliceName": chart.title,
            },
        }  # fmt: skip
    return positions


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--superset", default="http://127.0.0.1:8088", help="its address")
    parser.add_argument("--user", default="admin", help="a Superset user who may add databases")
    parser.add_argument("--database", required=True, help="postgresql://bi_reader@host:port/name")
    parser.add_argument("--currency", default="USD", help="named in the titles")
    options = parser.parse_args()
    address = urllib.parse.urlsplit(options.database)
    reader = os.environ.get("RATEHOUSE_READER_PASSWORD")
    if reader:
        who = f"{address.username}:{urllib.parse.quote(reader, safe='')}@"
        address = address._replace(netloc=who + address.netloc.rpartition("@")[2])
    superset = Superset(options.superset, options.user, os.environ["SUPERSET_PASSWORD"])
    uri = urllib.parse.urlunsplit(address._replace(scheme="postgresql+psycopg2"))
    number = build(superset, uri, options.currency)
    print(f"{options.superset.rstrip('/')}/superset/dashboard/{number}/")


if __name__ == "__main__":
    main()
