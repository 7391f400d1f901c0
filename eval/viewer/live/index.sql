-- Every trajectory (of the sample, if there is one) with what the list shows and the filters ask for; `place` is its position in the list.
create table items as
with played as (
    select played.* exclude (filename), stored.partition as partition, sample.rank as rank
    from read_parquet($files, union_by_name = true, filename = true) as played
    join stored on stored.file = played.filename
    left join sample using (trajectory_id)
    where $whole or sample.rank is not null
)
select
    row_number() over (
        order by
            -- A sample is looked at in its own order, so that its first half is a sample too.
            t.rank,
            t.question_id,
            list_position(['exemplar', 'student', 'reflection', 'probe', 'evaluation', 'rollout'], t.kind),
            t.player,
            t.max_zooms desc,
            t.frames_shown = 0,
            t.sample,
            t.trajectory_id
    ) as place,
    t.trajectory_id,
    t.partition,
    t.question_id,
    t.video_id,
    t.kind,
    t.player,
    t.sample,
    t.status,
    t.answer,
    t.zooms,
    t.well_formed,
    t.parent_id,
    case when t.max_zooms > 0 then 'zoom' when t.frames_shown > 0 then 'overview' else 'blind' end as condition,
    g.verdict,
    g.hit,
    v.outcome,
    coalesce(v.reasons, []) as reasons,
    coalesce(q.source, 'unknown') as source,
    coalesce(q.split, 'unknown') as split,
    coalesce(q.answer_type, 'unknown') as answer_type,
    coalesce(q.topic, 'no topic') as topic,
    q.question,
    q.answer as key
from played as t
left join (from grades qualify row_number() over (partition by trajectory_id) = 1) as g using (trajectory_id)
left join verdicts as v using (trajectory_id)
left join (from questions qualify row_number() over (partition by question_id) = 1) as q
    on q.question_id = t.question_id;

-- What people decided: filled and replaced while the index lives.
create table marks (trajectory_id varchar, review varchar[], tags varchar[]);
create view listed as
select items.*, coalesce(marks.review, ['not reviewed']) as review, coalesce(marks.tags, []) as tags
from items
left join marks using (trajectory_id);
