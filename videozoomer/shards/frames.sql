-- Every wanted frame once, a video's frames side by side and in order of time, so that a trajectory is read from few
-- row groups. `wanted(frame_id)` is registered by the caller; {files} lists the Parquet files of table `frames`.
-- Where two batches hold the same frame, the first file's row is taken: the bytes are the same by definition of the id.
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
