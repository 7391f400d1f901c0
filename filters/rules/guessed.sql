-- level: trajectory
-- order: 150
-- drops: an exemplar that is right without any zoom although the overview does not tell
-- why: it was luck. The overview does not tell when probes that saw it alone were wrong or, without such probes, when
--   some evidence window holds no overview frame. Where nothing is known, nothing is dropped.
select candidates.trajectory_id as id, 'guessed' as reason
from candidates
join glances on glances.question_id = candidates.question_id
where candidates.kind = 'exemplar'
    and candidates.verdict = 'correct'
    and candidates.zooms = 0
    and not glances.suffices
