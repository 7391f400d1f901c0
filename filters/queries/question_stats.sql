-- Table `question_stats`.
with reasons as (
    select id, list(reason order by place, reason) as reasons from dropped where level = 'question' group by id
),
probed as (
    select
        question_id,
        bool_and(answered_right) filter (where sees = 'blind') as answered_without_video,
        bool_or(answered_right) filter (where sees = 'overview') as answered_from_overview
    from probes
    group by question_id
),
tested as (select item, stays_right from evidence_probes where probe = 'blind' and stays_right is not null),
-- The segments that sufficed: those of zooms that the answer cannot do without; where none is known to be such, all.
needed as (
    select item, list(zoom order by zoom) as zooms
    from evidence_probes
    where probe = 'leave_one_out' and not stays_right
    group by item
),
found as (
    select
        sufficient.question_id,
        flatten(list(
            case
                when needed.zooms is null then sufficient.windows
                else list_transform(needed.zooms, lambda n: sufficient.windows[n])
            end
        )) as windows
    from evidence_probes as sufficient
    left join needed on needed.item = sufficient.item
    where sufficient.probe = 'sufficiency' and sufficient.stays_right
        and sufficient.item not in (select id from dropped where level = 'trajectory')
    group by sufficient.question_id
)
select
    asked_questions.question_id,
    asked_questions.video_id,
    asked_questions.split,
    coalesce(pass_rates.samples, 0) as samples,
    coalesce(pass_rates.valid, 0) as valid,
    coalesce(pass_rates.correct, 0) as correct,
    case when pass_rates.valid > 0 then pass_rates.correct / pass_rates.valid end as pass_rate,
    coalesce(tested.stays_right, probed.answered_without_video) as answered_without_video,
    probed.answered_from_overview,
    chances.chance,
    chances.chance_p,
    found.windows as found_evidence,
    coalesce(reasons.reasons, []) as reasons
from asked_questions
left join pass_rates on pass_rates.question_id = asked_questions.question_id
left join probed on probed.question_id = asked_questions.question_id
left join reasons on reasons.id = asked_questions.question_id
left join tested on tested.item = asked_questions.question_id
left join chances on chances.question_id = asked_questions.question_id
left join found on found.question_id = asked_questions.question_id
