"""The Piccolo app of this floor: its tables and migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from studio.control.tables import HelpCall, PanicCall
from studio.destinations.tables import Destination
from studio.live_sessions.tables import AirSpan, AsRun, LiveSession, RigPlan, RigReport
from studio.rigs.tables import Rig, RigLease

APP_CONFIG = AppConfig(
    app_name="studio",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=[Rig, RigLease, LiveSession, RigPlan, RigReport, AirSpan, AsRun, Destination, PanicCall, HelpCall],
    migration_dependencies=["booking.piccolo_app"],
)
