"""The web application: routes of pages and API behind one gate, nothing kept in the process but its connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Response, get
from litestar.openapi import OpenAPIConfig
from litestar.params import FromPath

from frontend import attempts, routes
from frontend.api.operations import ABOUT, Description, components
from frontend.auth import Gate, add_headers
from frontend.composition import House, open_house
from frontend.errors import answer
from frontend.feeds import switchboard_life
from frontend.health import health
from frontend.render import static_file
from frontend.views import AnyRequest
from incubator.ground.settings import Settings, load

LARGEST_BODY = 256 * 1024


@get("/static/{digest:str}/{path:path}", include_in_schema=False)
async def static(request: AnyRequest, digest: FromPath[str], path: FromPath[str]) -> Response[bytes]:
    """Serve a file of the interface; its address holds its hash, so browsers keep it for good."""
    found = static_file(digest, str(path).lstrip("/"), request.headers.get("accept-encoding", ""))
    if found is None:
        return Response(b"", status_code=404, media_type="text/plain")
    body, content_type, headers = found
    return Response(body, media_type=content_type, headers=headers)


def build(house: House | None = None, settings: Settings | None = None) -> Litestar:
    """Return the application; with a house given (tests), it is used as it is and not closed."""
    chosen = house.settings if house else settings or load()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        if house is not None:
            yield
            return
        async with open_house(chosen) as opened:
            _attach(app, opened)
            async with switchboard_life(app):
                yield

    app = Litestar(
        route_handlers=[health, static, *routes.HANDLERS],
        middleware=[Gate(chosen.base_url)],
        exception_handlers={Exception: answer},
        before_send=[add_headers],
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(  # named, since without a plugin pages with scripts of other sites would be served
            title="Kaibo", version="1", description=ABOUT, path="/api", render_plugins=[Description()], components=components(),
            use_handler_docstrings=True),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
    if house is not None:
        _attach(app, house)
    return app


def _attach(app: Litestar, house: House) -> None:
    app.state.house = house
    app.state.redis = house.redis
    app.state.settings = house.settings
    app.state.sign_in_gate = attempts.gate()


def create_app() -> Litestar:
    """Return the application of a web process; settings come from the environment."""
    return build()
