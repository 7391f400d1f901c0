-- level: question
-- order: 70
-- drops: a question that every probe without frames answered correctly
-- why: it teaches nothing about looking. Guessing rarely succeeds every time; a probe that failed or could not be
--   judged does not count as correct.
select probes.question_id as id, 'answerable_without_video' as reason
from probes
join asked_questions on asked_questions.question_id = probes.question_id and asked_questions.split = 'train'
cross join settings
where probes.sees = 'blind' and settings.probe_without_video
group by probes.question_id
having bool_and(probes.answered_right)
