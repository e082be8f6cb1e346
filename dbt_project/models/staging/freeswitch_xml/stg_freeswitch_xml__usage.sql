-- Grain: one row per landed call leg of FreeSWITCH mod_xml_cdr.
-- Legs the switch dials (direction outbound with an originating leg) belong to the call of the leg
-- that asked for them: that one is billed. direction is the switch's view; call_direction, where a
-- dialplan sets it, the customer's.
{{ freeswitch_documents(
    'freeswitch_xml',
    variable='$."variables.NAME"',
    profile='$."callflow.caller_profile.NAME"',
    is_encoded=false
) }}
