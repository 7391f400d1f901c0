-- level: trajectory
-- order: 100
-- drops: a trajectory whose question is no longer among the questions
-- why: its answer cannot be held against anything, and its split is unknown.
select trajectory_id as id, 'no_question' as reason
from candidates
where orphan
