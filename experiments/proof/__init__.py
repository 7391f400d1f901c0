"""The proof: a tiny policy of the true architecture learns to zoom, from our own shards and by our own episode.

    python -m experiments.proof            # every stage, three seeds; what is done already is not done again
    python -m experiments.proof --quick    # one seed, small: shows the direction in minutes

Belongs here: the proof's world, the teacher that plays it by sight, its stages and its report. Not here: anything that
another room does already.
"""
