"""Hand-made marts, with what spreadsheets and other tools stumble over."""

from __future__ import annotations

from typing import Any

import pytest

_MARTS = """
set role ratehouse_transformer;
create table marts.fct_rated_usage (
    account_id bigint, usage_id bigint, rating_run_id bigint, source_id integer,
    service_id bigint, usage_type text, started_at timestamptz, calling_number bigint,
    note text, is_test boolean, state text, retail_amount numeric(28, 14), period_month date
);
comment on column marts.fct_rated_usage.retail_amount is 'Price, rounded.';
create table marts.fct_charge (
    account_id bigint, charge_id bigint, rating_run_id bigint, source_id integer,
    service_id bigint, state text, description text, period_from date,
    charge_amount numeric(28, 14), period_month date
);
create table marts.dim_account (account_id bigint, account_code text, customer_name text);
create table marts.dim_service (service_id bigint, service_code text);
create table marts.dim_source (source_id integer, source_code text, carrier_code text);
grant select on all tables in schema marts to bi_reader;
insert into marts.dim_account values (1, 'ACME', '=HYPERLINK("http://x")'), (2, 'BETA', 'Beta');
insert into marts.dim_service values (1, 'ACME-1');
insert into marts.dim_source values (1, 'pbx', 'own'), (2, 'carrier', 'gamma');
insert into marts.fct_rated_usage values
    (1, 32, 7, 1, 1, 'voice', '2026-10-05 10:00:00.25+02', 12125550101, '+44 20 7946 0001', true,
     'billed', 0.06, '2026-10-01'),
    (1, 16, 7, 1, 1, 'voice', '2026-10-05 10:00:00.25+02', 12125550101, '-1.5', false,
     'billed', -1.5, '2026-10-01'),
    (1, 48, 9, 2, null, 'sms', '2026-10-06 00:00:00+00', null, '=1+1', null,
     'error', null, '2026-10-01'),
    (2, 64, 9, 2, null, 'voice', '2026-10-06 00:00:10+00', 442079460002, E'@x,"y"\\nz', true,
     'billed', 10, '2026-10-01'),
    (2, 80, 9, 2, null, 'voice', '2026-11-06 00:00:10+00', 442079460002, '', true,
     'billed', 10, '2026-11-01');
insert into marts.fct_charge values
    (1, 96, 7, 1, 1, 'billed', '+cmd|''/c calc''!A0', '2026-10-01', 12.5, '2026-10-01');
reset role;
"""


@pytest.fixture
def marts(connection: Any) -> Any:
    """A connection to a database with marts of a few rows."""
    with connection.cursor() as cursor:
        cursor.execute(_MARTS)
    connection.commit()
    return connection
