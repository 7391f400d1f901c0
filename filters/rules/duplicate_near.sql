-- level: question
-- order: 60
-- drops: a question that asks the same as another one about the same video, in other words or another order, with the same
--   answer (the lowest id stays)
-- why: it would count twice. Formulaic questions may differ in one word and still ask different things ('the red disc',
--   'the blue disc'), so the words with meaning are compared (filters/duplicates.py). If both questions' evidence is known
--   and does not overlap, they are different whatever their words.
select distinct later.question_id as id, 'duplicate_near' as reason
from asked_questions as later
join asked_questions as earlier
    on earlier.video_id = later.video_id
    and earlier.answer_type = later.answer_type
    and earlier.plain_answer = later.plain_answer
    and earlier.question_id < later.question_id
    and earlier.plain_question <> later.plain_question
cross join settings
where later.split = 'train'
    and earlier.split = 'train'
    and earlier.status = 'ok'
    and (
        len(earlier.evidence) = 0
        or len(later.evidence) = 0
        or len(list_filter(
            earlier.evidence, lambda e: len(list_filter(
                later.evidence, lambda l: e.start_s <= l.end_s and l.start_s <= e.end_s
            )) > 0
        )) > 0
    )
    and sameness(earlier.question, later.question) >= settings.duplicate_ratio
