-- level: selection
-- order: 200
-- drops: exemplars of one question beyond the recipe's `max_trajectories`; the best ones stay
-- why: easy questions would dominate the data. The best ones, in this order: zoomed on the evidence (or correctly
--   needed no zoom), showed the fewest frames, wrote the fewest tokens, have the lowest sample number, have the lowest
--   id.
with placed as (
    select
        survivors.trajectory_id,
        row_number() over (
            partition by survivors.question_id
            order by
                coalesce(survivors.hit or (survivors.zooms = 0 and glances.suffices), false) desc,
                survivors.frames_shown,
                survivors.output_tokens,
                survivors.sample,
                survivors.trajectory_id
        ) as place
    from survivors
    left join glances on glances.question_id = survivors.question_id
    where survivors.kind = 'exemplar'
)
select placed.trajectory_id as id, 'too_many_of_a_question' as reason
from placed
cross join settings
where placed.place > settings.max_trajectories
