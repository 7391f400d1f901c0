-- level: trajectory
-- order: 190
-- drops: a reflection that mentions a known right answer, the verdict on the failed attempt or the request to reflect
-- why: none of these exist at inference; a policy trained on such thoughts would invent them. Words that the question
--   itself uses do not count.
with patterns as (
    select unnest([
        'ground[- ]truth',
        'answer key',
        '(reference|gold|golden|expected|annotated|labell?ed) (answer|label|solution)',
        '(correct|right|true|actual) answer (is|was|has been) (given|known|provided|stated|listed|revealed)',
        '(given|knowing|told|provided) (that )?the (correct|right|true|actual) answer',
        '(previous|earlier|initial|last|former|original|my|that) (final )?(answer|response|conclusion) (was|is|has been) (wrong|incorrect|not right|not correct|marked|judged)',
        '(i was|i have been|i''ve been|i am|i''m|as) (told|asked|instructed|requested|prompted)\b',
        'the user (asks|asked|wants|wanted|says|said|tells|told|requests)',
        '(this|the|your) (request|instruction|instructions|prompt|hint) (asks|says|tells|was|is|to)\b',
        '(asked|told|instructed|requested) (me )?to (reconsider|reflect|try again|look again|zoom again)',
        'attempt (above|did not lead)'
    ]) as pattern
)
select distinct candidates.trajectory_id as id, 'reflection_tells' as reason
from candidates
join reflection_turns on reflection_turns.trajectory_id = candidates.trajectory_id and reflection_turns.repairs
left join questions on questions.question_id = candidates.question_id
cross join patterns
where regexp_matches(lower(reflection_turns.reply), patterns.pattern)
    and not regexp_matches(lower(coalesce(questions.question, '')), patterns.pattern)
