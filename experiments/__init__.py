"""What shows that the pipeline teaches zooming. Nothing that production needs."""
