"""Training questions that an evaluation set asks too: the text alone decides, whatever film they are about."""
