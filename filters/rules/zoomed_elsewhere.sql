-- level: trajectory
-- order: 160
-- drops: an episode that is correct although none of its zooms showed the evidence and the overview does not show the
--   answer
-- why: it was luck, and it would teach the policy to zoom in the wrong place.
select candidates.trajectory_id as id, 'zoomed_elsewhere' as reason
from candidates
join glances on glances.question_id = candidates.question_id
where candidates.verdict = 'correct'
    and candidates.zooms > 0
    and not candidates.hit
    and not glances.suffices
