"""The least that Litestar can do, served as the product is: `python -m tests.bench.ping PORT`."""

import sys

import uvicorn
from litestar import Litestar, get


@get("/ping")
async def ping() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}


app = Litestar([ping], openapi_config=None, logging_config=None)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", log_level="warning",
                access_log=False, server_header=False)
