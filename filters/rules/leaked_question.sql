-- level: question
-- order: 40
-- drops: a training question whose text also appears in the evaluation set
-- why: the policy would learn the answer to an evaluation question, even if the videos differ.
select question_id as id, 'leaked_question' as reason
from asked_questions
where split = 'train' and question_id in (select train_id from leaks where kind = 'question_text')
