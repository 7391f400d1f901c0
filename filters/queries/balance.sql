-- What the balance counts: one row for each question and trajectory, with its traits and the place of its first reason.
-- Table `ranks` (reason, place) has the rules in order; 0 are episodes that failed, `kept_place()` what is kept.

-- Language of a text in lower case: by the script of most of its letters; in Latin letters by its function words.
create temp macro scripts_of(t) as [
    len(regexp_extract_all(t, '[a-z\x{C0}-\x{24F}]')), len(regexp_extract_all(t, '[\p{Hiragana}\p{Katakana}]')) * 3,
    len(regexp_extract_all(t, '\p{Han}')) * 2, len(regexp_extract_all(t, '\p{Hangul}')) * 2,
    len(regexp_extract_all(t, '\p{Cyrillic}')), len(regexp_extract_all(t, '\p{Arabic}')),
    len(regexp_extract_all(t, '\p{Greek}')), len(regexp_extract_all(t, '\p{Hebrew}')),
    len(regexp_extract_all(t, '\p{Thai}')), len(regexp_extract_all(t, '\p{Devanagari}'))
];
create temp macro largest_of(counts, names) as
    case when list_max(counts) > 0 then names[list_position(counts, list_max(counts))] end;
create temp macro latin_language_of(words) as largest_of(
    [
        len(list_intersect(words, string_split('the is are and of in to it what which how does this that there', ' '))),
        len(list_intersect(words, string_split('und nicht ist ich der das die ein eine was wie auf zu mit dem den', ' '))),
        len(list_intersect(words, string_split('les une est dans je quel quelle nous et des que pas sur avec le la du', ' '))),
        len(list_intersect(words, string_split('el los las una está qué que en por con del hay se y la', ' '))),
        len(list_intersect(words, string_split('che sono nella della il gli una con per di non è questo la', ' '))),
        len(list_intersect(words, string_split('não uma que com para do da na no os as em está isso o qual', ' '))),
        len(list_intersect(words, string_split('het een niet ik van dat met op zijn deze er voor de wat', ' ')))
    ],
    ['English', 'German', 'French', 'Spanish', 'Italian', 'Portuguese', 'Dutch']
);
create temp macro latin_language(t) as latin_language_of(list_distinct(string_split_regex(t, '[^\p{L}]+')));
create temp macro language_of(t) as
    case
        when contains(t, ' the ') and not regexp_matches(t, '[^\x00-\x{36F}\x{2000}-\x{2BFF}]') then 'English'
        when not regexp_matches(t, '[^\x00-\x{36F}\x{2000}-\x{2BFF}]') then latin_language(t)
        when largest_of(scripts_of(t), range(10)) = 0 then latin_language(t)
        else largest_of(
            scripts_of(t),
            ['', 'Japanese', 'Chinese', 'Korean', 'Cyrillic', 'Arabic', 'Greek', 'Hebrew', 'Thai', 'Devanagari']
        )
    end;

create temp table films as
select video_id, max(duration_s) as duration_s from videos where video_id is not null group by video_id;

-- The names that get a value of their own; the others share one.
create temp table named as
with counted as (
    select 'topic' as trait, topic as name, count(*) as questions from questions where topic is not null group by topic
    union all
    select 'film', video_uri, count(*) from questions group by video_uri
)
select trait, name
from counted
qualify row_number() over (partition by trait order by questions desc, name) <= case trait when 'topic' then 20 else 10 end;

-- Traits of every question. `longest` is null where two options are equally long.
create temp table asked as
with lettered as (
    select
        question_id, video_uri, split, status, answer_type, topic, question, options,
        case when answer_type = 'choice' and option_text(options, answer) is not null then answer end as letter,
        list_max(list_transform(options, lambda o: length(o))) as most
    from questions
)
select
    lettered.question_id,
    stats.video_id,
    lettered.split,
    lettered.status,
    stats.reasons[1] as reason,
    lettered.letter,
    case
        when letter is null or len(list_filter(options, lambda o: length(o) = most)) <> 1 then null
        when length(option_text(options, letter)) = most then 'the right one'
        else 'another one'
    end as longest,
    case when letter is not null then len(options) end as options,
    case when topic is null then null when topics.name is null then 'other topics' else topic end as topic,
    case when named_films.name is null then 'other films' else regexp_extract(video_uri, '[^/\\]+$') end as film,
    answer_type as type,
    case
        when duration_s < 60 then 'under 1 min'
        when duration_s < 180 then '1 to 3 min'
        when duration_s < 600 then '3 to 10 min'
        when duration_s < 1800 then '10 to 30 min'
        when duration_s < 3600 then '30 to 60 min'
        when duration_s >= 3600 then '1 h and more'
    end as duration,
    case
        when pass_rate = 0 then '0%'
        when pass_rate < 0.5 then '1 to 49%'
        when pass_rate < 1 then '50 to 99%'
        when pass_rate = 1 then '100%'
    end as pass_rate,
    language_of(lower(left(question, 400))) as language
from lettered
left join question_stats as stats using (question_id)
left join films using (video_id)
left join named as topics on topics.trait = 'topic' and topics.name = lettered.topic
left join named as named_films on named_films.trait = 'film' and named_films.name = lettered.video_uri;

-- Questions of an evaluation set are in the count if they can be used; no rule drops any.
create temp table items as
select
    case split when 'train' then 'question' else 'evaluation' end as kind,
    hash(question_id) as question,
    hash(video_id) as video,
    case when split <> 'train' then kept_place() else coalesce(ranks.place, kept_place()) end as place,
    letter, longest, options, topic, film, type, null::varchar as zooms, duration, language, pass_rate
from asked
left join ranks on ranks.reason = asked.reason
where split = 'train' or status = 'ok'
union all
select
    verdicts.kind,
    hash(verdicts.question_id),
    hash(verdicts.video_id),
    case verdicts.outcome when 'failed' then 0 when 'kept' then kept_place() else ranks.place end,
    letter, longest, options, topic, film, type,
    case when trajectories.zooms >= 4 then '4 and more' else trajectories.zooms::varchar end,
    duration,
    language_of(lower(left(thought_of(trajectories.turns[len(trajectories.turns)].reply), 400))),
    pass_rate
from verdicts
join trajectories using (trajectory_id)
left join asked on asked.question_id = verdicts.question_id
left join ranks on ranks.reason = verdicts.reasons[1];

create temp view traits as
unpivot items on letter, longest, topic, film, type, zooms, duration, language, pass_rate into name trait value value;
