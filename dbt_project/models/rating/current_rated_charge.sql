-- Grain: one row per charge line (SDR): the version that counts.
{{ current_rows('rated_charge', 'charge_supersession', 'charge_id') }}
