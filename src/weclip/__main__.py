"""`python -m weclip`, for `accelerate launch -m weclip train ...`."""

from weclip.cli.app import main

main()
