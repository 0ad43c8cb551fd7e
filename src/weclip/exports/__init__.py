"""After stage 6: masks of `weclip label` in the formats of other tools, image by image."""
