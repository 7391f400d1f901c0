-- level: question
-- order: 80
-- drops: a question that the teacher answers correctly less often than the recipe's `min_pass_rate`
-- why: a rare correct answer among many wrong ones is more likely luck or a wrong answer key than skill.
select pass_rates.question_id as id, 'pass_rate_too_low' as reason
from pass_rates
join asked_questions on asked_questions.question_id = pass_rates.question_id
cross join settings
where pass_rates.valid > 0 and pass_rates.correct / pass_rates.valid < settings.min_pass_rate
