-- level: question
-- order: 20
-- drops: a question whose video is missing or quarantined
-- why: there are no trustworthy frames to show.
select question_id as id, 'no_video' as reason
from asked_questions
where split = 'train' and video_status is distinct from 'ok'
