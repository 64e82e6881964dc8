"""What touches local files: upload sources, image files, the models cache, recorded streams."""
