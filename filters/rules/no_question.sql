-- level: trajectory
-- order: 100
-- drops: a trajectory whose question is no longer in the sources
-- why: its answer cannot be graded, and its split is unknown.
select trajectory_id as id, 'no_question' as reason
from candidates
where orphan
