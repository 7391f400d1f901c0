-- level: question
-- order: 85
-- drops: a question that a person dropped
-- why: what a person saw and refused teaches nothing good, whatever the rules say.
select question_id as id, 'reviewed_drop_question' as reason
from asked_questions
where question_id in (select key from reviewed where subject = 'question' and decision = 'drop')
