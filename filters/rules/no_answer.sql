-- level: trajectory
-- order: 110
-- drops: an episode that used up its rounds without an answer
-- why: it would teach to go on for ever.
select trajectory_id as id, 'no_answer' as reason
from candidates
where status = 'exhausted'
