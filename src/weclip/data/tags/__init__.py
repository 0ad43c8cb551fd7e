"""Image-level tags from tables, exports of tools and pickled arrays."""
