-- level: selection
-- order: 210
-- drops: exemplars without a zoom beyond the recipe's `non_zoom_share` of all that remain
-- why: too many teach never to zoom, none teach to zoom always. Which stay is drawn by a hash of their ids, so that
--   no video is favoured and every run draws the same.
with counted as (
    select
        trajectory_id,
        zooms,
        count(*) filter (where zooms > 0) over () as zoomed,
        row_number() over (partition by zooms = 0 order by md5(trajectory_id), trajectory_id) as place
    from survivors
    where kind = 'exemplar'
)
select counted.trajectory_id as id, 'too_many_without_zoom' as reason
from counted
cross join settings
where counted.zooms = 0
    and settings.non_zoom_share < 1
    and counted.place > floor(settings.non_zoom_share * counted.zoomed / (1 - settings.non_zoom_share) + 1e-9)
