-- level: trajectory
-- order: 120
-- drops: an episode with a wrong answer
-- why: only episodes that reach the right answer are worth imitating.
select trajectory_id as id, 'wrong_answer' as reason
from candidates
where status = 'answered' and verdict = 'wrong'
