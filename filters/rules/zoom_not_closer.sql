-- level: trajectory
-- order: 182
-- drops: a right answer with a zoom that shows no more frames of its segment than the overview had shown
-- why: a zoom of the whole film, or at the overview's own rate, is no closer look.
select distinct turns.trajectory_id as id, 'zoom_not_closer' as reason
from turns
join overview_times using (video_id)
where turns.correct
    and turns.repairs
    and turns.action = 'zoom'
    and turns.frames > 1
    and len(list_filter(
        overview_times.times_s, lambda t: t >= turns.start_s - edge_s() and t < turns.end_s - edge_s()
    )) >= turns.frames
