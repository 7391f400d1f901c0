-- level: selection
-- order: 199
-- drops: a trajectory that says nearly the same as another one, about the same question or a different one (the best one
--   stays)
-- why: copies weigh as much as many samples and teach one wording. `alike` has the pairs whose replies share the recipe's
--   `trajectory_ratio` of their runs of three words; see filters/alike.py.
select trajectory_id as id, 'repeats_another' as reason
from alike
