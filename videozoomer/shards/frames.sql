-- Each wanted frame once, sorted by video and time, so that few row groups hold the frames of a trajectory.
-- The caller registers `wanted(frame_id)`; {files} lists the Parquet files of table `frames`. If two batches have the
-- same frame, the first file's row is taken: the same id means the same bytes.
with every as (
    select * from read_parquet([{files}], filename = true)
),
chosen as (
    select frame_id, min(filename) as filename
    from every
    where frame_id in (select frame_id from wanted)
    group by frame_id
)
select every.frame_id, every.video_id, every.time_s, every.width, every.height, every.jpeg
from every
join chosen on every.frame_id = chosen.frame_id and every.filename = chosen.filename
order by every.video_id, every.time_s, every.frame_id
