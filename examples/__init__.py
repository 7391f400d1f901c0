"""A generated world of long videos whose questions need a zoom, a local teacher, and short scripts to copy.

    from examples.world import make_world
    world = make_world(Path("world"))                   # or size="small" for tests
    world.train_videos, world.train_questions           # files and a JSONL of questions, as a user brings them

    from examples.teacher import serve
    with serve(port=8173) as teacher:                   # or: python -m examples.teacher --port 8173
        teacher.base_url                                # http://127.0.0.1:8173/v1, OpenAI-compatible

Belongs here: generating the sample videos and questions, the server that stands in for a vision-language model, the
demo, and examples of extending the pipeline. Does not belong here: anything production needs. examples/README.md states
the limits.
"""
