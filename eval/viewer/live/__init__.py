"""`videozoomer view`: a local server that shows any number of trajectories, also while a run goes on.

`guard.py` says who may ask, `index.py` finds rows, `episodes.py` shows one question's episodes, `pictures.py` finds
frames and cuts clips, `server.py` answers the browser, `static/` is the page.
"""
