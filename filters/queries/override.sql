-- A person's `keep` is stronger than the rule that has just dropped the item: of a question than a rule about questions,
-- of a trajectory than any other.
delete from dropped
where place = $place
    and id in (
        select key
        from reviewed
        where decision = 'keep' and subject = case when dropped.level = 'question' then 'question' else 'trajectory' end
    )
