-- level: question
-- order: 60
-- drops: a question that repeats another one about the same video, in nearly the same words and with the same answer
--   (the lowest id stays)
-- why: it would count twice. Formulaic questions may differ in one word and still ask different things ('the red disc',
--   'the blue disc'), so likeness alone is not enough: the evidence must overlap or, if it is unknown, no word may be
--   replaced.
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
    and likeness(earlier.plain_question, later.plain_question) >= settings.duplicate_ratio
    and case
        when len(earlier.evidence) > 0 and len(later.evidence) > 0 then len(list_filter(
            earlier.evidence, lambda e: len(list_filter(
                later.evidence, lambda l: e.start_s <= l.end_s and l.start_s <= e.end_s
            )) > 0
        )) > 0
        else not words_replaced(earlier.plain_question, later.plain_question)
    end
