-- level: question
-- order: 10
-- drops: a question that was quarantined when the sources were read
-- why: its row is invalid (no options, an answer that matches none of them, an unknown type), so its answers cannot be
--   graded.
select question_id as id, 'question_quarantined' as reason
from asked_questions
where split = 'train' and status <> 'ok'
