-- level: trajectory
-- order: 186
-- drops: a right answer that repeats itself: one sentence three times in a thought, few different words in a long one, one
--   long run without a space, or the same thought in two turns
-- why: loops are a failure of sampling that imitation makes more frequent. Few words: fewer different ones than 1.5 times
--   the root of their number, far below any prose (400 words of it have about 200, the limit is 30).
-- Each part looks closely only at what a cheap test leaves.
with repeated as materialized (
    select trajectory_id, said
    from (
        select
            trajectory_id,
            said,
            string_split(replace(replace(replace(said, '。', '. '), '! ', '. '), chr(10), '. '), '. ') as sentences
        from written
    )
    where len(sentences) > 2 and len(sentences) > list_unique(sentences)
),
sentences as (
    select
        trajectory_id,
        list_filter(
            list_transform(string_split_regex(said, '[.!?;。！？；\n]+\s*'), lambda s: trim(s)), lambda s: length(s) >= 6
        ) as said
    from repeated
)
select trajectory_id as id, 'loops' as reason
from sentences
where len(said) >= 3 and list_max(map_values(list_histogram(said))) >= 3
union
select trajectory_id as id, 'loops' as reason
from written
where case
    when length(said) >= 200
        then list_unique(string_split(said, ' ')) < 1.5 * sqrt(len(string_split(said, ' ')))
            and len(string_split(said, ' ')) >= 40
    else false
end
union
select trajectory_id as id, 'loops' as reason
from written
where case
    when length(said) > 12 * len(string_split(said, ' ')) then regexp_matches(said, '[!-~]{120}')
    else false
end
union
select trajectory_id as id, 'loops' as reason
from written
where length(said) >= 20
group by trajectory_id, hash(said)
having count(*) > 1
