-- Functions of videozoomer/protocol/evidence.py and options.py for queries. filters/sql_functions.py defines edge_s()
-- and letters() from their constants, and tests compare both sides.

-- Whether a frame's time is inside a window.
create temp macro window_covers(w, time_s) as time_s between w.start_s - edge_s() and w.end_s + edge_s();

-- Whether every window contains at least one frame.
create temp macro every_window_is_hit(times_s, windows) as
    len(list_filter(windows, lambda w: len(list_filter(times_s, lambda t: window_covers(w, t))) = 0)) = 0;

-- Intersection over union of two segments.
create temp macro iou(start_s, end_s, other_start_s, other_end_s) as
    case
        when greatest(end_s, other_end_s) > least(start_s, other_start_s)
            then greatest(least(end_s, other_end_s) - greatest(start_s, other_start_s), 0.0)
                / (greatest(end_s, other_end_s) - least(start_s, other_start_s))
        else 0.0
    end;

-- Text of the option that a letter names; null where it names none.
create temp macro option_text(options, letter) as
    case when length(letter) = 1 and strpos(letters(), letter) > 0 then options[strpos(letters(), letter)] end;

-- The reasoning of a reply: what stands before its action.
create temp macro thought_of(reply) as
    trim(replace(split_part(split_part(split_part(reply, '</think>', 1), '<video_zoom>', 1), '<answer>', 1), '<think>', ''));

-- A text in lower case without punctuation.
create temp macro plain(text) as trim(regexp_replace(lower(text), '[^\p{L}\p{N}]+', ' ', 'g'));

-- How many letters of a script a text has beyond those of the question.
create temp macro script_letters(said, asked, script) as
    greatest(len(regexp_extract_all(said, script)) - len(regexp_extract_all(asked, script)), 0);

-- How many different words of a list a text has.
create temp macro words_of(said, words) as list_unique(regexp_extract_all(said, words));

-- What a thought in lower case cites, as lists of numbers. Times in seconds: "62.5 s", "5,000 seconds", "at 62s"; decades
-- ("the 1990s") are no times.
create temp macro seconds_in(said) as list_transform(
    regexp_extract_all(
        case when contains(said, '0s') then regexp_replace(said, '\b(1[89]|20)?\d0s\b', ' ', 'g') else said end,
        '(?:^|[^\d.,:])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?) ?(?:s|sec|secs|seconds?)\b',
        1
    ),
    lambda t: replace(t, ',', '')::double
);

-- "at 1:02", as seconds; not where the thought is about a clock or a score in the picture.
create temp macro clock_times(said) as
    case
        when regexp_matches(said, 'clock|watch|timer|schedule|timetable|score|[ap]\.?m\b') then []
        else list_transform(
            regexp_extract_all(said, '\b(?:at|around|near) (?:about |around )?(\d{1,2}(?::[0-5]\d){1,2})(?:[^\d:]|$)', 1),
            lambda t: list_reduce(list_transform(string_split(t, ':'), lambda p: p::double), lambda a, b: 60 * a + b)
        )
    end;

-- Times of sights: sentences that say what is seen at a time, and not what will be looked at.
create temp macro sights(said) as flatten(list_transform(
    list_filter(
        string_split_regex(said, '[.!?;] +|\n+'),
        lambda s: regexp_matches(
            s,
            '\b(see|saw|seen|show|shows|showed|shown|visible|appears?|appeared|there is|there are|is there|flash|flashes|flashed|holds?|wears?|reads?|displays?)\b'
        ) and not regexp_matches(
            s,
            '\b(zoom|look|let me|will|would|should|need|could|may|might|cover|stretch|segment|fps|rate|next|after|before|until|between|miss|missed|if|not|no)\b'
        )
    ),
    lambda s: list_concat(
        list_transform(
            regexp_extract_all(
                s, '\b(?:at|around|near) (?:about |around |t ?= ?)?(\d+(?:\.\d+)?) ?(?:s|sec|secs|seconds?)\b', 1
            ),
            lambda t: t::double
        ),
        clock_times(s)
    )
));

-- "frame 12", "frames #3": the number. A tag of the protocol, <frame12_time45.00s>: its time in seconds.
create temp macro frames_in(said) as
    list_transform(regexp_extract_all(said, '\bframes? #?(\d{1,6})\b', 1), lambda n: n::double);
create temp macro tags_in(said) as
    list_transform(regexp_extract_all(said, '\bframe\d+_time(\d+(?:\.\d+)?)s', 1), lambda t: t::double);

-- How often a guess is right (videozoomer/protocol/chance.py).
create temp macro chance_of(answer_type, options, open_chance) as
    case
        when answer_type = 'choice' and len(options) > 0 then 1 / len(options)
        when answer_type = 'yes_no' then 0.5
        else open_chance
    end;

-- P(at least `correct` of `valid` answers are right) if each is with probability `chance`, below 1 and above 0.
create temp macro chance_tail(correct, valid, chance) as
    case
        when correct <= 0 or chance >= 1 then 1.0
        else least(1.0, list_sum(list_transform(
            range(correct::bigint, valid::bigint + 1),
            lambda k: exp(
                lgamma(valid + 1) - lgamma(k + 1) - lgamma(valid - k + 1)
                + k * ln(chance) + (valid - k) * ln(1 - chance)
            )
        )))
    end;
