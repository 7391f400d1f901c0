-- level: trajectory
-- order: 194
-- drops: a right answer with a thought of more characters than the recipe's `max_thought_chars`
-- why: nobody reasons that long about a few frames; it is noise or a loop, and it fills the context.
select distinct trajectory_id as id, 'overlong_thought' as reason
from written
cross join settings
where length(thought) > settings.max_thought_chars
