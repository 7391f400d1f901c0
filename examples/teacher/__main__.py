"""`python -m examples.teacher`: serve until interrupted."""

from __future__ import annotations

import argparse
import sys
import threading


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.teacher",
        description="The sample teacher: image recognition behind an OpenAI-compatible server.",
    )
    parser.add_argument("--port", type=int, default=8173, help="port to listen on; 0 picks a free port (default: 8173)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--share-port", action="store_true", help="let other processes serve the same port")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    chosen = parser.parse_args()

    import cv2

    from examples.teacher.server import TeacherServer

    cv2.setNumThreads(1)
    try:
        server = TeacherServer(chosen.port, chosen.host, share_port=chosen.share_port)
    except OSError as error:
        print(f"cannot listen on {chosen.host}:{chosen.port}: {error.strerror}; choose another --port", file=sys.stderr)
        return 1
    print(server.base_url, flush=True)
    if chosen.until_stdin_closes:

        def end_with_stdin() -> None:
            sys.stdin.read()
            server.shutdown()

        threading.Thread(target=end_with_stdin, daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
