"""The Piccolo app of this floor: its tables and migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from booking.calendars.tables import Calendar, CalendarException, CalendarHours
from booking.checkin.tables import Device
from booking.policies.tables import QuotaPolicy
from booking.reservations.tables import Allocation, Reservation
from booking.units.tables import Unit

APP_CONFIG = AppConfig(
    app_name="booking",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=[Calendar, CalendarHours, CalendarException, Unit, QuotaPolicy, Reservation, Allocation, Device],
    migration_dependencies=["incubator.piccolo_app"],
)
