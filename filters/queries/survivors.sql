-- What all rules before this one left. A selection rule chooses among them.
create or replace temp view survivors as
from candidates
where status <> 'failed'
    and trajectory_id not in (select id from dropped where level <> 'question')
    and question_id not in (select id from dropped where level = 'question')
