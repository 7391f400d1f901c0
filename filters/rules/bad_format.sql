-- level: trajectory
-- order: 140
-- drops: an answered episode in which one of the player's own turns broke the format or was a fault
-- why: the policy learns the format first, and a fault is not worth imitating.
select trajectory_id as id, 'bad_format' as reason
from candidates
where status = 'answered' and not well_formed
