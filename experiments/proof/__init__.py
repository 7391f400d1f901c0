"""The proof: a tiny policy of the true architecture learns to zoom, using the pipeline's own shards and episode.

    python -m experiments.proof            # every stage, three seeds; finished stages are kept
    python -m experiments.proof --quick    # one seed, small: shows the trend in minutes

Belongs here: the proof's world, the teacher that plays it by sight, its stages and its report. Does not belong here:
anything another room already does.
"""
