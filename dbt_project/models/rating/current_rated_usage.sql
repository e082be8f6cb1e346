-- Grain: one row per usage leg: the version that counts.
{{ current_rows('rated_usage', 'usage_supersession', 'usage_id') }}
