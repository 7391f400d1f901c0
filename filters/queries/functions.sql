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
