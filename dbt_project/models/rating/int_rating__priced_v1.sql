-- Grain: one row per usage leg of the current run, with the components of both sides' charges
-- before discount. Where no row was found or it is blocked, amounts are null, never zero; a
-- component that the terms do not have is null.
-- Version 1: minimum and maximum charge are of the usage alone, the connection fee comes on top.
{{ config(post_hook="{{ evaluate_once() }}") }}

{{ priced_legs(rating_version=1) }}
