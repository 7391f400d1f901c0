-- level: selection
-- order: 210
-- drops: exemplars without a zoom beyond the recipe's `non_zoom_share` of all remaining exemplars
-- why: too many of them teach the policy never to zoom, none at all teach it to always zoom. A hash of their ids picks
--   the ones that stay, so no video is favoured and every run picks the same ones.
with counted as (
    select count(*) as zoomed from survivors where kind = 'exemplar' and zooms > 0
),
placed as (
    select trajectory_id, row_number() over (order by md5(trajectory_id), trajectory_id) as place
    from survivors
    where kind = 'exemplar' and zooms = 0
)
select placed.trajectory_id as id, 'too_many_without_zoom' as reason
from placed
cross join counted
cross join settings
where settings.non_zoom_share < 1
    and placed.place > floor(settings.non_zoom_share * counted.zoomed / (1 - settings.non_zoom_share) + 1e-9)
