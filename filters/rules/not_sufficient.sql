-- level: trajectory
-- order: 161
-- drops: an episode whose zoomed frames alone do not lead to its right answer
-- why: the answer did not come from what the zooms showed: it was a guess, or read from the overview. Table `evidence`
--   has the answers of the probe `sufficiency` and the bound of its test.
select item as id, 'not_sufficient' as reason
from evidence_probes
where probe = 'sufficiency' and not stays_right
