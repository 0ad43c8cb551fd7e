"""The page as a server on this machine; only this room imports Starlette and uvicorn."""
