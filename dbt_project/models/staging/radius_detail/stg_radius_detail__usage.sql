-- Grain: one row per landed block of a RADIUS detail file. The Stop carries the session; Start and
-- Interim-Update are replaced by the later records of it (interim_record) or wait for them
-- (open_session). A Stop sent again is a repeat: access server and session id are its key.
{{ radius_usage('radius_detail') }}
