-- level: trajectory
-- order: 162
-- drops: an episode whose answer does not move along when the options change places
-- why: it preferred a letter, or guessed. The probe `shuffled` shows the same frames with every option at another letter.
select item as id, 'letter_not_answer' as reason
from evidence_probes
where probe = 'shuffled' and not stays_right
