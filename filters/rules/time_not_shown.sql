-- level: trajectory
-- order: 183
-- drops: a right answer whose thoughts cite a frame that was not shown, a sight at a time that was not shown, or a time past
--   the film's end
-- why: it is invented. A sight at a time is a sentence such as "at 62 s I see": a frame of the overview within the recipe's
--   `time_tolerance_s`, or an earlier zoom of that time, must have shown it. Plans ("I zoom into 60 to 64 s") may name any time
--   of the film.
with told as (
    select * from written where regexp_matches(said, '\d')
),
cited as (
    select trajectory_id, place, 'past the end' as what, unnest(seconds_in(said)) as value from told
    union all
    select trajectory_id, place, 'sight' as what, unnest(sights(said)) as value from told
    where regexp_matches(said, '\b(at|around|near) (about |around |t ?= ?)?\d')
    union all
    select trajectory_id, place, 'tag' as what, unnest(tags_in(said)) as value from told
    where contains(said, '_time')
    union all
    select trajectory_id, place, 'frame' as what, unnest(frames_in(said)) as value from told
    where contains(said, 'frame')
),
known as (
    select
        cited.trajectory_id,
        cited.place,
        cited.what,
        cited.value,
        videos.duration_s,
        overview_times.times_s,
        case cited.what when 'tag' then 0.01 else settings.time_tolerance_s end as tolerance_s
    from cited
    join candidates using (trajectory_id)
    cross join settings
    left join overview_times using (video_id)
    left join (select video_id, max(duration_s) as duration_s from videos group by video_id) as videos using (video_id)
),
doubtful as (
    select trajectory_id, place, what, value, tolerance_s, len(times_s) as overview_frames
    from known
    where case what
        when 'past the end' then value > duration_s + 1
        when 'frame' then value > len(times_s)
        else len(list_filter(times_s, lambda t: abs(t - value) <= tolerance_s)) = 0
    end
)
select distinct doubtful.trajectory_id as id, 'time_not_shown' as reason
from doubtful
where not exists (
    from turns
    where turns.trajectory_id = doubtful.trajectory_id
        and turns.place < doubtful.place
        and turns.frames > 0
        and case doubtful.what
            when 'past the end' then false
            when 'frame' then doubtful.value <= turns.frames
            else doubtful.value between turns.first_s - doubtful.tolerance_s - 0.5 / turns.fps
                and turns.last_s + doubtful.tolerance_s + 0.5 / turns.fps
        end
)
