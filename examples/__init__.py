"""The embedded world: long videos whose questions need a zoom, and a local teacher that looks at pixels.

    from examples.world import make_world
    world = make_world(Path("world"))                   # or size="small" for tests
    world.train_videos, world.train_questions           # what a user would bring: files, and questions as JSONL

    from examples.teacher import serve
    with serve(port=8173) as teacher:                   # or: python -m examples.teacher --port 8173
        teacher.base_url                                # http://127.0.0.1:8173/v1, OpenAI-compatible

Belongs here: making the sample videos and questions, and the server that stands in for a vision-language model in the
demonstration. Does not belong here: anything that production needs. See examples/README.md for the honest limits.
"""
