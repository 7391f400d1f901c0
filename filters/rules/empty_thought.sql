-- level: trajectory
-- order: 193
-- drops: a right answer with a thought of fewer words than the recipe's `min_thought_words`
-- why: an empty or one-word thought teaches not to reason. In scripts without spaces, two characters count as a word.
with short as (
    select written.trajectory_id, written.said, settings.min_thought_words
    from written
    cross join settings
    where len(string_split(written.thought, ' ')) < settings.min_thought_words
)
select distinct trajectory_id as id, 'empty_thought' as reason
from short
where len(regexp_extract_all(
        said,
        '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]{2}|[^\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\s\p{P}]+'
    )) < min_thought_words
