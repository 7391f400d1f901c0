-- level: trajectory
-- order: 185
-- drops: a right answer whose last thought says that it is a guess
-- why: it was luck, and the policy would learn to stop looking. A guess before a zoom is a reason to look.
-- The pattern is one constant, which DuckDB compiles once; held in a column it was compiled for each row.
select distinct trajectory_id as id, 'guess_admitted' as reason
from written
where action = 'answer' and len(list_filter(
    regexp_extract_all(
        said,
        '\bi (will|shall|must|have to|can only|could only|just|simply|am)( just| simply| only)? guess(ing)?\b' ||
        '|\bi''(ll|m)( just| only| simply)? guess(ing)?\b' ||
        '|\b(just|only|let me) guess(ing)?\b' ||
        '|\bmy (best |own |only )*guess\b' ||
        '|\b(wild|random|blind|educated|lucky|pure) guess\b' ||
        '|\bguess(ed|ing)? (at random|randomly|blindly|wildly)\b' ||
        '|\bi (will |just |simply )?(pick|picked|choose|chose|select|answer|go for|take)\b.{0,40}\b(at random|randomly|arbitrarily)\b' ||
        '|\b(flip|toss)(ping|ing)? a coin\b' ||
        '|\bi have no (idea|clue)\b'
    ),
    lambda found: not contains(asked, trim(found))
)) > 0
