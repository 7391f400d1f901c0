-- level: trajectory
-- order: 197
-- drops: a right answer whose thoughts use more languages than the recipe's `max_languages`
-- why: models slip from one language into another while sampling, and imitation makes that frequent. A script counts with
--   twelve letters that the question does not have, a language in Latin letters with three different function words.
--   What stands in quotation marks may be read from the picture and does not count.
with counted as (
    select
        trajectory_id,
        regexp_replace(
            string_agg(said, ' '),
            '"[^"\n]{2,200}"|“[^”]{2,200}”|«[^»]{2,200}»|「[^」]{1,200}」|‘[^’]{2,200}’|(^|[\s(])''[^''\n]{2,200}''',
            ' ',
            'g'
        ) as said,
        any_value(asked) as asked
    from written
    group by trajectory_id
    having bool_or(
        regexp_matches(said, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Cyrillic}\p{Arabic}\p{Greek}\p{Hebrew}\p{Thai}\p{Devanagari}]{2}')
        or regexp_matches(said, '\b(und|nicht|ist|ich|der|das|sehe|les|une|est|dans|je|vois|nous|el|los|una|está|veo|en el|il|che|sono|nella|vedo|não|uma|estou|vejo|het|een|niet|zie)\b')
    )
),
used as (
    select
        trajectory_id,
        [
            words_of(said, '\b(the|is|are|and|of|in|to|it|so|at|this|that|see|there)\b') >= 3,
            words_of(said, '\b(und|nicht|ist|ich|der|das|die|ein|eine|sehe|im|auf|zu|mit|dass|es)\b') >= 3,
            words_of(said, '\b(les|une|est|dans|je|vois|nous|et|des|que|pas|sur|avec|il|elle|du)\b') >= 3,
            words_of(said, '\b(el|los|las|una|está|veo|que|en|por|con|del|esta|hay|se|y)\b') >= 3,
            words_of(said, '\b(che|sono|nella|vedo|della|il|gli|una|con|per|di|non|è|questo)\b') >= 3,
            words_of(said, '\b(não|uma|estou|vejo|que|com|para|do|da|os|as|em|está|isso)\b') >= 3,
            words_of(said, '\b(het|een|niet|zie|ik|van|dat|met|op|zijn|deze|er|voor)\b') >= 3,
            script_letters(said, asked, '[\p{Hiragana}\p{Katakana}]') >= 12,
            script_letters(said, asked, '\p{Han}') >= 12
                and script_letters(said, asked, '[\p{Hiragana}\p{Katakana}]') < 12,
            script_letters(said, asked, '\p{Hangul}') >= 12,
            script_letters(said, asked, '\p{Cyrillic}') >= 12,
            script_letters(said, asked, '\p{Arabic}') >= 12,
            script_letters(said, asked, '\p{Greek}') >= 12,
            script_letters(said, asked, '\p{Hebrew}') >= 12,
            script_letters(said, asked, '\p{Thai}') >= 12,
            script_letters(said, asked, '\p{Devanagari}') >= 12
        ] as languages
    from counted
)
select used.trajectory_id as id, 'mixed_languages' as reason
from used
cross join settings
where len(list_filter(used.languages, lambda one: one)) > settings.max_languages
