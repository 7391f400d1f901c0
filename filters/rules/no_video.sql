-- level: question
-- order: 20
-- drops: a question whose video is missing or was quarantined
-- why: there are no frames that could be trusted.
select question_id as id, 'no_video' as reason
from asked_questions
where split = 'train' and video_status is distinct from 'ok'
