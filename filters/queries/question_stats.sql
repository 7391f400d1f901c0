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
)
select
    asked_questions.question_id,
    asked_questions.video_id,
    asked_questions.split,
    coalesce(pass_rates.samples, 0) as samples,
    coalesce(pass_rates.valid, 0) as valid,
    coalesce(pass_rates.correct, 0) as correct,
    case when pass_rates.valid > 0 then pass_rates.correct / pass_rates.valid end as pass_rate,
    probed.answered_without_video,
    probed.answered_from_overview,
    coalesce(reasons.reasons, []) as reasons
from asked_questions
left join pass_rates on pass_rates.question_id = asked_questions.question_id
left join probed on probed.question_id = asked_questions.question_id
left join reasons on reasons.id = asked_questions.question_id
