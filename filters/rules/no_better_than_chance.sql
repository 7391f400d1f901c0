-- level: question
-- order: 86
-- drops: a question whose exemplars are right no more often than guesses, at the level `filters.evidence.pass_level`, and
--   of which no trajectory rests on its zoomed frames
-- why: its right answers are luck, or nobody can answer it. The binomial test is against 1/options; a question with too
--   few exemplars to pass it even if all were right stays, as does one whose zoomed frames sufficed. Only questions
--   that were probed are tested.
with sufficient as (
    select question_id from evidence_probes where probe = 'sufficiency' and stays_right
)
select chances.question_id as id, 'no_better_than_chance' as reason
from chances
join asked_questions on asked_questions.question_id = chances.question_id and asked_questions.split = 'train'
join pass_rates on pass_rates.question_id = chances.question_id
cross join settings
where chances.chance_p > settings.pass_level
    and pow(chances.chance, pass_rates.valid) <= settings.pass_level
    and chances.question_id in (select question_id from evidence_probes)
    and chances.question_id not in (select question_id from sufficient)
