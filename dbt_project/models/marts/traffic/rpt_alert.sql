-- Grain: one row per alert, as it was found. Append only: usage that was withdrawn or rated again
-- since changes nothing here.
with alerts as (
    select * from {{ source('control', 'alert') }}
),

mails as (
    select
        told.alert_id,
        mail.status,
        mail.sent_at
    from {{ source('control', 'mail_alert') }} as told
    inner join {{ source('control', 'mail') }} as mail on told.mail_id = mail.mail_id
)

select
    alerts.alert_id::bigint as alert_id,
    alerts.rule_code::text as rule_code,
    alerts.severity::text as severity,
    alerts.subject_kind::text as subject_kind,
    alerts.subject::text as subject,
    alerts.account_id::bigint as account_id,
    alerts.window_from::timestamptz as window_from,
    alerts.window_to::timestamptz as window_to,
    alerts.measured::numeric as measured,
    alerts.expected::numeric as expected,
    alerts.threshold::numeric as threshold,
    alerts.unit::text as unit,
    alerts.sentence::text as sentence,
    alerts.figures::jsonb as figures,
    alerts.usage_ids::bigint[] as usage_ids,
    alerts.found_at::timestamptz as found_at,
    coalesce(mails.status, 'none')::text as mail_status,
    mails.sent_at::timestamptz as mailed_at
from alerts
left join mails on alerts.alert_id = mails.alert_id
