-- What the full text search reads, in lower case: ids, question, options, answers, file, and everything a player wrote.
create table texts as
select
    items.place,
    lower(
        concat_ws(
            chr(10),
            items.trajectory_id,
            items.question_id,
            items.question,
            array_to_string(asked.options, chr(10)),
            asked.video_uri,
            items.key,
            items.answer,
            array_to_string(list_transform(played.turns, lambda turn: turn.reply), chr(10))
        )
    ) as text
from items
join trajectories as played using (trajectory_id)
left join (from questions qualify row_number() over (partition by question_id) = 1) as asked
    on asked.question_id = items.question_id;
