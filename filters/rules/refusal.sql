-- level: trajectory
-- order: 191
-- drops: a right answer whose thoughts speak as an assistant that cannot watch
-- why: "as an AI" and "I cannot view videos" are a chat model's habits; the policy does see the frames. "I cannot view the
--   details" of a coarse overview is none.
-- The pattern is one constant, which DuckDB compiles once; held in a column it was compiled for each row.
select distinct trajectory_id as id, 'refusal' as reason
from written
where len(list_filter(
    regexp_extract_all(
        said,
        '\bas an? (ai|a\.i\.|artificial intelligence|(large )?(language|multimodal|vision) (language )?model|assistant|chatbot)\b' ||
        '|\bi(''m| am) (just |only )?an? (ai|language model|assistant)\b' ||
        '|\bi(''m| am) sorry,? (but |that )?(i|as)\b' ||
        '|\bi apologi[sz]e\b' ||
        '|\bi (can ?not|can''t|could not|couldn''t|do not have the ability to|am not allowed to|am unable to|am not able to) ' ||
        '(assist|help (you|with)|comply|fulfil|identify (people|persons|anyone)|' ||
        '(watch|view|access|process|play|open) (the |this |that |any |your |these |those |actual )*' ||
        '(videos?|films?|movies?|clips?|files?|footage|media|links?|urls?|attachments?)\b)' ||
        '|\b(openai|chatgpt|my (training|programming|guidelines|knowledge cutoff))\b'
    ),
    lambda found: not contains(asked, trim(found))
)) > 0
