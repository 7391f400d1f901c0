-- level: trajectory
-- order: 130
-- drops: an episode whose answer could not be judged or has not been judged yet
-- why: an unverified answer is not a correct one; a judge for open answers decides most of these.
select trajectory_id as id, 'unknown_answer' as reason
from candidates
where status = 'answered' and coalesce(verdict, 'unknown') = 'unknown'
