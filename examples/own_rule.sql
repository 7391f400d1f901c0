-- level: trajectory
-- order: 195
-- drops: an episode that zoomed more than twice
-- why: an example of a rule to copy. Short trajectories are cheaper to train on; whether they teach better is for an
--   experiment to say.
select trajectory_id as id, 'own_rule' as reason
from candidates
where zooms > 2
