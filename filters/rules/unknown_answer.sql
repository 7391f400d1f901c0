-- level: trajectory
-- order: 130
-- drops: an episode whose answer could not be judged, or has not been
-- why: unverified is not verified; a judge for open answers turns most of these into right or wrong.
select trajectory_id as id, 'unknown_answer' as reason
from candidates
where status = 'answered' and coalesce(verdict, 'unknown') = 'unknown'
