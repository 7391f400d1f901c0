-- level: question
-- order: 40
-- drops: a training question whose text is found in the evaluation set
-- why: the same question with the same answer was learnt, whatever video it is shown with.
select question_id as id, 'leaked_question' as reason
from asked_questions
where split = 'train' and question_id in (select train_id from leaks where kind = 'question_text')
