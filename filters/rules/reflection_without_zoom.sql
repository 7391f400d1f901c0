-- level: trajectory
-- order: 170
-- drops: a reflection that answers without zooming again, unless the failed zooms had already shown the evidence
-- why: if the first look did not show the evidence, another answer from it is a guess; if it did, the mistake was in
--   reading the frames, and reading them again corrects it.
select candidates.trajectory_id as id, 'reflection_without_zoom' as reason
from candidates
where candidates.kind = 'reflection'
    and candidates.status = 'answered'
    and not coalesce(candidates.hit, false)
    and not exists (
        from reflection_turns
        where reflection_turns.trajectory_id = candidates.trajectory_id
            and reflection_turns.repairs
            and reflection_turns.action = 'zoom'
    )
