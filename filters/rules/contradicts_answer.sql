-- level: trajectory
-- order: 184
-- drops: a right answer whose last thought concludes another one
-- why: the answer did not come from the reasoning. What counts as a conclusion is in filters/conclusions.py; a thought without
--   one is not dropped.
select distinct written.trajectory_id as id, 'contradicts_answer' as reason
from written
join asked_questions using (question_id)
where written.action = 'answer'
    and concludes_otherwise(
        written.thought, asked_questions.answer, asked_questions.answer_type, asked_questions.options
    )
