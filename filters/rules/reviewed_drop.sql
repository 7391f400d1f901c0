-- level: trajectory
-- order: 188
-- drops: a trajectory that a person dropped
-- why: what a person saw and refused is not to be imitated, whatever the rules say.
select trajectory_id as id, 'reviewed_drop' as reason
from candidates
where trajectory_id in (select key from reviewed where subject = 'trajectory' and decision = 'drop')
