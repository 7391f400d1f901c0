-- level: question
-- order: 10
-- drops: a question that was left out when the sources were read
-- why: its row does not fit (no options, an answer that is none of them, an unknown type), so nothing can be graded.
select question_id as id, 'question_quarantined' as reason
from asked_questions
where split = 'train' and status <> 'ok'
