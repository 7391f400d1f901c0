-- Table `verdicts`: reasons of the question first, then those of the trajectory, each in the order of the rules.
with reasons as (
    select id, level = 'question' as of_question, list(reason order by place, reason) as reasons
    from dropped
    group by all
),
judged as (
    select
        candidates.trajectory_id,
        candidates.question_id,
        candidates.video_id,
        candidates.kind,
        candidates.status = 'failed' as failed,
        case
            when candidates.status = 'failed' then [coalesce(candidates.failure, 'unnamed')]
            else list_concat(coalesce(asked.reasons, []), coalesce(played.reasons, []))
        end as reasons
    from candidates
    left join reasons as asked on asked.of_question and asked.id = candidates.question_id
    left join reasons as played on not played.of_question and played.id = candidates.trajectory_id
)
select
    trajectory_id,
    question_id,
    video_id,
    kind,
    case when failed then 'failed' when len(reasons) > 0 then 'rejected' else 'kept' end as outcome,
    reasons
from judged
