"""Where the bytes of a film are: a file, a URL, a member of an archive, the segments of a playlist, numbered pictures.

Listing (`videozoomer.sources`) and reading (`videozoomer.video`) both come here. A film that is not one file is
described by pieces, ranges of bytes of other files, and read at any offset without a copy.
"""
