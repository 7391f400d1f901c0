-- level: trajectory
-- order: 180
-- drops: a reflection whose first new zoom repeats a failed one
-- why: it corrects nothing. Two windows are the same if their intersection over union is above 0.8, and two rates if
--   they differ by at most a tenth, so another rate over the same segment counts as a new look.
with zooms as (
    select * from reflection_turns where action = 'zoom'
),
first_new as (
    select * from zooms where repairs qualify row_number() over (partition by trajectory_id order by place) = 1
)
select distinct first_new.trajectory_id as id, 'reflection_same_window' as reason
from first_new
join zooms as failed on failed.trajectory_id = first_new.trajectory_id and not failed.repairs
join candidates on candidates.trajectory_id = first_new.trajectory_id
where abs(first_new.fps - failed.fps) <= 0.1 * failed.fps
    and iou(first_new.start_s, first_new.end_s, failed.start_s, failed.end_s) > 0.8
