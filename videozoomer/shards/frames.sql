-- Each wanted frame once, sorted by video and time, so that few row groups hold the frames of a trajectory.
-- The caller registers `wanted(frame_id, video_id, time_s)` with the place that a frame is filed under; {files} lists the
-- Parquet files of table `frames`. If two batches have the same frame, either file will do: the same id means the same
-- bytes.
with every as (
    select frame_id, width, height, jpeg, filename from read_parquet([{files}], filename = true)
),
chosen as (
    select frame_id, min(filename) as filename
    from every
    where frame_id in (select frame_id from wanted)
    group by frame_id
)
select every.frame_id, wanted.video_id, wanted.time_s, every.width, every.height, every.jpeg
from every
join chosen on every.frame_id = chosen.frame_id and every.filename = chosen.filename
join wanted on wanted.frame_id = every.frame_id
order by wanted.video_id, wanted.time_s, wanted.frame_id
