-- level: question
-- order: 70
-- drops: a question that probes without frames answered correctly: every one or, with `filters.evidence`, more often than
--   by chance
-- why: it teaches nothing about looking. Two right answers may be luck, and one wrong answer in six is no proof of
--   looking: `filters.evidence` asks until a sequential test decides. A probe that failed or could not be judged does
--   not count as correct.
with tested as (select item, stays_right from evidence_probes where probe = 'blind' and stays_right is not null)
select probes.question_id as id, 'answerable_without_video' as reason
from probes
join asked_questions on asked_questions.question_id = probes.question_id and asked_questions.split = 'train'
cross join settings
where probes.sees = 'blind' and settings.probe_without_video
    and probes.question_id not in (select item from tested)
group by probes.question_id
having bool_and(probes.answered_right)
union all
select item, 'answerable_without_video' from tested where stays_right
