-- level: trajectory
-- order: 164
-- drops: an episode with more zooms that its answer does without than `filters.evidence.max_idle_zooms`
-- why: they cost rounds and show nothing that is needed. A search may miss at first, so the default keeps any number. An
--   answer does without a zoom if it stays right when the probe `leave_one_out` hides that zoom.
select evidence_probes.item as id, 'idle_zooms' as reason
from evidence_probes
cross join settings
where evidence_probes.probe = 'leave_one_out' and settings.max_idle_zooms is not null
group by evidence_probes.item, settings.max_idle_zooms
having count(*) filter (where evidence_probes.stays_right) > settings.max_idle_zooms
