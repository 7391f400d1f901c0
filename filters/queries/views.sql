-- Helper tables for the rules: narrow temporary tables over the lake's views, created once per run.

-- Every question with its video and its normalised texts (lower case, no punctuation).
create temp table asked_questions as
select
    questions.question_id,
    questions.split,
    questions.status,
    questions.answer_type,
    questions.question,
    questions.options,
    questions.answer,
    questions.evidence,
    videos.video_id,
    videos.duration_s,
    videos.status as video_status,
    plain(questions.question) as plain_question,
    plain(
        case
            when len(questions.options) > 0
                then coalesce(option_text(questions.options, questions.answer), questions.answer)
            else questions.answer
        end
    ) as plain_answer
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

-- Presentation times of each video's overview, in seconds.
create temp table overview_times as
select video_id, list(time_s order by time_s) as times_s from overviews group by video_id;

-- Whether the overview is enough to answer a question. `shows`: every evidence window contains an overview frame; null
-- if no evidence is known. `suffices`: a probe with the overview alone was right; without such probes, `shows`.
create temp table glances as
with shown as (
    select
        asked_questions.question_id,
        every_window_is_hit(coalesce(overview_times.times_s, []), asked_questions.evidence) as shows
    from asked_questions
    left join overview_times on overview_times.video_id = asked_questions.video_id
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

-- Turns of right answers, and all turns of reflections: what the rules about replies look at. `repairs`: whether training
-- would imitate the turn; it does not take the loss on the failed turns that a reflection starts from. `thought`: the reply
-- up to its action.
create temp table turns as
with trained as (
    select
        trajectory_id,
        list_transform(list_filter(messages, lambda m: m.role = 'assistant'), lambda m: m.train) as repairs
    from trajectories
    where kind = 'reflection'
),
played as (
    select
        trajectories.trajectory_id,
        candidates.question_id,
        candidates.video_id,
        candidates.kind,
        candidates.verdict,
        generate_subscripts(trajectories.turns, 1) as place,
        unnest(trajectories.turns) as turn
    from trajectories
    join candidates using (trajectory_id)
    where candidates.status <> 'failed' and (candidates.verdict = 'correct' or candidates.kind = 'reflection')
)
select
    played.trajectory_id,
    played.question_id,
    played.video_id,
    played.kind,
    played.verdict is not distinct from 'correct' as correct,
    played.place,
    coalesce(trained.repairs[played.place], true) as repairs,
    played.turn.action as action,
    thought_of(played.turn.reply) as thought,
    played.turn.start_s as start_s,
    played.turn.end_s as end_s,
    played.turn.fps as fps,
    len(played.turn.frame_times_s) as frames,
    list_min(played.turn.frame_times_s) as first_s,
    list_max(played.turn.frame_times_s) as last_s
from played
left join trained using (trajectory_id);

-- The turns of reflections.
create temp view reflection_turns as
from turns where kind = 'reflection';

-- What a right answer would teach to write: its thoughts that training imitates, with the words of its question.
create temp view written as
select
    turns.trajectory_id,
    turns.question_id,
    turns.place,
    turns.action,
    turns.thought,
    lower(turns.thought) as said,
    lower(concat_ws(' ', asked_questions.question, array_to_string(asked_questions.options, ' '))) as asked
from turns
left join asked_questions using (question_id)
where turns.correct and turns.repairs;

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

-- Probes of evidence (table `evidence`), where the recipe asks for them: nothing is dropped for want of a row.
create temp table evidence_probes as
select evidence.*
from evidence
cross join settings
where settings.probes_evidence;

-- A question's chance and the p-value of its exemplars against guessing.
create temp table chances as
select
    asked_questions.question_id,
    chance_of(asked_questions.answer_type, asked_questions.options, settings.open_chance) as chance,
    case
        when pass_rates.valid > 0 then chance_tail(
            pass_rates.correct,
            pass_rates.valid,
            chance_of(asked_questions.answer_type, asked_questions.options, settings.open_chance)
        )
    end as chance_p
from asked_questions
left join pass_rates on pass_rates.question_id = asked_questions.question_id
cross join settings
where settings.probes_evidence;
