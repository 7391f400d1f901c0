-- level: trajectory
-- order: 192
-- drops: a right answer whose thoughts repeat a passage of the prompt, or the tag of its answers
-- why: the prompt is there already; reciting it is not reasoning. `prompt_passages()` are its texts, cut into passages of six
--   words.
select distinct trajectory_id as id, 'quotes_prompt' as reason
from written
where regexp_matches(said, '</?tool_response>')
    or regexp_matches(said, prompt_passages())
