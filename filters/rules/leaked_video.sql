-- level: question
-- order: 30
-- drops: every question about a training video that is also in the evaluation set, as the same file or as a copy
-- why: a policy trained on an evaluation video can no longer be measured on it.
select asked_questions.question_id as id, 'leaked_video' as reason
from asked_questions
where asked_questions.split = 'train'
    and asked_questions.video_id in (select train_id from leaks where kind in ('video_id', 'video_signature'))
