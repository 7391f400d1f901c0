-- level: trajectory
-- order: 163
-- drops: an episode whose answer is as right with frames from elsewhere in the film
-- why: where it zoomed did not matter. The probe `elsewhere` shows as many frames at the same rates, away from the zooms
--   and from known evidence, and must not stay right more often than by chance.
select item as id, 'right_elsewhere' as reason
from evidence_probes
where probe = 'elsewhere' and stays_right
