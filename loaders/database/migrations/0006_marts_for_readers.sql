-- marts: what BI tools read. dbt fills it and grants its relations to bi_reader (+grants); the
-- right to look into the schema is no grant dbt knows, so the schema is made here.

create schema if not exists marts authorization ratehouse_transformer;

set role ratehouse_transformer;
grant usage on schema marts to bi_reader;
comment on schema marts is 'Contracted tables and views for BI tools. bi_reader reads only these.';
reset role;
