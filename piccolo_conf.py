"""Where Piccolo finds the engine and the apps; one app per floor."""

from piccolo.conf.apps import AppRegistry

from incubator.ground.database import DB

APP_REGISTRY = AppRegistry(apps=["incubator.piccolo_app", "booking.piccolo_app", "studio.piccolo_app", "frontend.piccolo_app"])

__all__ = ["APP_REGISTRY", "DB"]
