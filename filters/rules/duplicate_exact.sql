-- level: question
-- order: 50
-- drops: a question that repeats another one about the same video, with the same words and the same answer (the lowest
--   id stays)
-- why: it would count twice, in training and in every statistic.
select later.question_id as id, 'duplicate_exact' as reason
from asked_questions as later
where later.split = 'train' and exists (
    from asked_questions as earlier
    where earlier.video_id = later.video_id
        and earlier.split = 'train'
        and earlier.status = 'ok'
        and earlier.answer_type = later.answer_type
        and earlier.plain_question = later.plain_question
        and earlier.plain_answer = later.plain_answer
        and earlier.question_id < later.question_id
)
