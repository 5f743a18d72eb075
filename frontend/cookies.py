"""Cookies of our own: out of reach of scripts and of other sites."""

from litestar.datastructures import Cookie

from frontend.views import AnyRequest


def made(request: AnyRequest, name: str, value: str, max_age_s: int) -> Cookie:
    """Return a cookie that scripts cannot read and other sites do not send; over TLS alone where the address says https."""
    secure = request.app.state.settings.is_secure
    return Cookie(key=name, value=value, path="/", max_age=max_age_s, httponly=True, samesite="lax", secure=secure)
