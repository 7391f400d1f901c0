-- Helper tables for the rules: narrow temporary tables over the lake's views, created once per run.

-- Every question with its video and its normalised texts (lower case, no punctuation).
create temp table asked_questions as
select
    questions.question_id,
    questions.split,
    questions.status,
    questions.answer_type,
    questions.evidence,
    videos.video_id,
    videos.status as video_status,
    trim(regexp_replace(lower(questions.question), '[^\p{L}\p{N}]+', ' ', 'g')) as plain_question,
    trim(regexp_replace(lower(
        case
            when len(questions.options) > 0
                then coalesce(option_text(questions.options, questions.answer), questions.answer)
            else questions.answer
        end
    ), '[^\p{L}\p{N}]+', ' ', 'g')) as plain_answer
from questions
left join (
    -- A file named by two sources has two rows in `videos`; keep one of them.
    from videos qualify row_number() over (partition by uri order by status = 'ok' desc, batch) = 1
) as videos on videos.uri = questions.video_uri;

-- Trajectories that may go into a shard: exemplars, reflections and rollouts harvested from RL, on training questions.
-- Probes, students' rollouts and evaluations serve only as evidence. A trajectory whose question no longer exists stays
-- in this table so that a rule can drop it.
create temp table candidates as
select
    trajectories.trajectory_id,
    trajectories.question_id,
    trajectories.video_id,
    trajectories.kind,
    trajectories.sample,
    trajectories.status,
    trajectories.failure,
    trajectories.well_formed,
    trajectories.zooms,
    trajectories.frames_shown,
    trajectories.output_tokens,
    trajectories.parent_id,
    grades.verdict,
    grades.hit,
    asked_questions.question_id is null as orphan
from trajectories
left join asked_questions on asked_questions.question_id = trajectories.question_id
left join grades on grades.trajectory_id = trajectories.trajectory_id
where trajectories.kind in ('exemplar', 'reflection', 'rollout')
    and coalesce(asked_questions.split, 'train') = 'train';

-- Probes with their grades: played without frames, or with the overview alone.
create temp table probes as
select
    trajectories.question_id,
    case when trajectories.frames_shown = 0 then 'blind' else 'overview' end as sees,
    coalesce(grades.verdict = 'correct', false) as answered_right
from trajectories
left join grades on grades.trajectory_id = trajectories.trajectory_id
where trajectories.kind = 'probe' and trajectories.max_zooms = 0;

-- Whether the overview is enough to answer a question. `shows`: every evidence window contains an overview frame; null
-- if no evidence is known. `suffices`: a probe with the overview alone was right; without such probes, `shows`.
create temp table glances as
with shown as (
    select
        asked_questions.question_id,
        every_window_is_hit(coalesce(overview.times_s, []), asked_questions.evidence) as shows
    from asked_questions
    left join (select video_id, list(time_s) as times_s from overviews group by video_id) as overview
        on overview.video_id = asked_questions.video_id
    where len(asked_questions.evidence) > 0
),
probed as (
    select question_id, bool_or(answered_right) as answered_right
    from probes
    where sees = 'overview'
    group by question_id
)
select
    asked_questions.question_id,
    shown.shows,
    coalesce(probed.answered_right, shown.shows) as suffices
from asked_questions
left join shown on shown.question_id = asked_questions.question_id
left join probed on probed.question_id = asked_questions.question_id;

-- The turns of reflections. The failed turns that a reflection starts from are not trained on; its repairing turns are.
create temp table reflection_turns as
with played as (
    select
        trajectory_id,
        question_id,
        turns,
        list_transform(list_filter(messages, lambda m: m.role = 'assistant'), lambda m: m.train) as trained
    from trajectories
    where kind = 'reflection'
),
numbered as (
    select
        trajectory_id,
        question_id,
        generate_subscripts(turns, 1) as place,
        unnest(turns) as turn,
        unnest(trained) as repairs
    from played
)
select
    trajectory_id,
    question_id,
    place,
    repairs,
    turn.action as action,
    turn.reply as reply,
    turn.start_s as start_s,
    turn.end_s as end_s,
    turn.fps as fps
from numbered;

-- Counts of each question's exemplars. `valid` counts those with a definite verdict.
create temp table pass_rates as
select
    question_id,
    count(*) as samples,
    count(*) filter (where status <> 'failed' and verdict in ('correct', 'wrong')) as valid,
    count(*) filter (where status <> 'failed' and verdict = 'correct') as correct
from candidates
where kind = 'exemplar'
group by question_id;
