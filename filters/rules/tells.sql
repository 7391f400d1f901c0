-- level: trajectory
-- order: 190
-- drops: a right answer whose thoughts mention a known answer, the verdict on an earlier attempt or the request itself
-- why: none of these exist at inference; a policy trained on such thoughts would invent them. Words that the
--   question itself uses do not count.
-- The pattern is one constant, which DuckDB compiles once; held in a column it was compiled for each row.
select distinct trajectory_id as id, 'tells' as reason
from written
where len(list_filter(
    regexp_extract_all(
        said,
        'ground[- ]truth' ||
        '|answer key' ||
        '|(reference|gold|golden|expected|annotated|labell?ed) (answer|label|solution)' ||
        '|(correct|right|true|actual) answer (is|was|has been) (given|known|provided|stated|listed|revealed)' ||
        '|(given|knowing|told|provided) (that )?the (correct|right|true|actual) answer' ||
        '|(previous|earlier|initial|last|former|original|my|that) (final )?(answer|response|conclusion) (was|is|has been) (wrong|incorrect|not right|not correct|marked|judged)' ||
        '|(i was|i have been|i''ve been|i am|i''m|as) (told|instructed|requested|prompted)\b' ||
        '|(i was|i have been|i''ve been|i am|i''m) asked to\b' ||
        '|the user (asks|asked|wants|wanted|says|said|tells|told|requests)' ||
        '|(this|the|your) (request|instructions?|prompt|hint) (asks|tells|wants|to)\b' ||
        '|(this|the|your) (request|instructions?|prompt|hint) (says|was|is) (to|that|i|the)\b' ||
        '|(asked|told|instructed|requested) (me )?to (reconsider|reflect|try again|look again|zoom again)' ||
        '|attempt (above|did not lead)'
    ),
    lambda found: not contains(asked, trim(found))
)) > 0
