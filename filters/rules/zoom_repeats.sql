-- level: trajectory
-- order: 181
-- drops: a right answer with a zoom that shows frames that an earlier zoom had shown
-- why: it costs a round and shows nothing new. A zoom repeats an earlier one if that covers the recipe's `zoom_overlap` of it
--   at nine tenths of its rate or more.
select distinct later.trajectory_id as id, 'zoom_repeats' as reason
from turns as later
join turns as earlier on earlier.trajectory_id = later.trajectory_id and earlier.place < later.place
cross join settings
where later.correct
    and later.repairs
    and later.action = 'zoom'
    and earlier.action = 'zoom'
    and later.frames > 0
    and earlier.frames > 0
    and earlier.fps >= 0.9 * later.fps
    and least(later.last_s, earlier.last_s + edge_s()) - greatest(later.first_s, earlier.first_s - edge_s())
        >= settings.zoom_overlap * (later.last_s - later.first_s)
