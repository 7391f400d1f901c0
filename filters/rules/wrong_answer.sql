-- level: trajectory
-- order: 120
-- drops: an episode whose answer is wrong
-- why: only what led to the right answer is worth imitating.
select trajectory_id as id, 'wrong_answer' as reason
from candidates
where status = 'answered' and verdict = 'wrong'
