-- level: trajectory
-- order: 170
-- drops: a reflection that answers without another zoom, unless the failed zooms had shown the evidence
-- why: where the first look showed nothing, another answer from it is a guess; where it did show the evidence, the
--   error was one of reading, and reading again repairs it.
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
