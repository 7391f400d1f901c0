-- level: trajectory
-- order: 160
-- drops: an episode that is right although none of its zooms showed any evidence and the overview does not tell either
-- why: it was luck, and it teaches to zoom at the wrong place.
select candidates.trajectory_id as id, 'zoomed_elsewhere' as reason
from candidates
join glances on glances.question_id = candidates.question_id
where candidates.verdict = 'correct'
    and candidates.zooms > 0
    and not candidates.hit
    and not glances.suffices
