"""The Piccolo app of this floor: its tables and migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from incubator.accounts.tables import Account, ApiToken, Person, RoleGrant, SignIn
from incubator.invitations.tables import Invitation
from incubator.merchants.tables import Merchant, Shop
from incubator.sites.tables import Site

APP_CONFIG = AppConfig(
    app_name="incubator",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=[Site, Person, Account, RoleGrant, SignIn, ApiToken, Merchant, Shop, Invitation],
    migration_dependencies=[],
)
