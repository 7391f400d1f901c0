-- level: trajectory
-- order: 198
-- drops: a right answer whose thoughts contain an e-mail address, a telephone number or a number of a card or an account
-- why: a policy should not learn to recite such data. If the question asks for it, it stays.
-- The pattern is one constant, which DuckDB compiles once; held in a column it was compiled for each row.
select distinct trajectory_id as id, 'personal_data' as reason
from written
where len(list_filter(
    regexp_extract_all(
        said,
        '[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}' ||
        '|\+\d{1,3}[ ().-]*\d{1,4}([ ().-]*\d{2,4}){2,4}\b' ||
        '|(^|[^\d.:-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b' ||
        '|\b\d{3}-\d{2}-\d{4}\b' ||
        '|(^|[^\d.,])(\d{4}[ -]){3}\d{1,4}\b' ||
        '|\b\d{13,19}\b' ||
        '|\b[a-z]{2}\d{2}( ?[a-z0-9]{4}){3,7}( ?[a-z0-9]{1,4})?\b'
    ),
    lambda found: not contains(asked, trim(found))
)) > 0
