-- level: trajectory
-- order: 150
-- drops: an exemplar that is correct without a zoom although the overview does not show the answer
-- why: it was luck. The overview does not show the answer if probes that saw only the overview were wrong or, without
--   such probes, if an evidence window contains no overview frame. If neither is known, nothing is dropped.
select candidates.trajectory_id as id, 'guessed' as reason
from candidates
join glances on glances.question_id = candidates.question_id
where candidates.kind = 'exemplar'
    and candidates.verdict = 'correct'
    and candidates.zooms = 0
    and not glances.suffices
