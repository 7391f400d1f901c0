-- level: trajectory
-- order: 110
-- drops: an episode that used up its rounds without an answer
-- why: it would teach the policy never to stop.
select trajectory_id as id, 'no_answer' as reason
from candidates
where status = 'exhausted'
