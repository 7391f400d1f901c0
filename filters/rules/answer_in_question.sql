-- level: question
-- order: 55
-- drops: a question that contains its own answer
-- why: it is answered by reading, not by looking. An open answer counts if the question has its words, unless it names
--   alternatives ("red or blue", "between A and B"); an option, if the question has its words and those of no other option.
--   Numbers, times, orders, yes and no do not count.
select question_id as id, 'answer_in_question' as reason
from asked_questions
where split = 'train'
    and length(plain_answer) >= 3
    and not regexp_matches(plain_answer, '^[\d\s]*$')
    and contains(' ' || plain_question || ' ', ' ' || plain_answer || ' ')
    and (
        answer_type = 'text' and not regexp_matches(plain_question, '\b(or|between|among|versus|vs)\b')
        or answer_type = 'choice'
            and len(list_filter(options, lambda o: contains(' ' || plain_question || ' ', ' ' || plain(o) || ' '))) = 1
    )
