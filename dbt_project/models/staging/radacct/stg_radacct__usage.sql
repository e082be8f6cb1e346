-- Grain: one row per landed row of a RADIUS accounting CSV. Rows with a status type are events, as
-- in detail files; rows without one are the radacct table, a session each, in_progress while it has
-- no stop time.
{{ radius_usage('radacct') }}
