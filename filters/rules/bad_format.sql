-- level: trajectory
-- order: 140
-- drops: an answered episode in which a turn of its own player broke the format or was a fault
-- why: the format is what the policy learns first, and a fault is not worth imitating.
select trajectory_id as id, 'bad_format' as reason
from candidates
where status = 'answered' and not well_formed
