"""The accounts of a demo, offered on its sign-in page and nowhere else."""

import msgspec

from incubator.ground.errors import N_
from incubator.ground.rights import Role

PASSWORD = "kaibo-demo"
DOMAIN = "demo.kaibo.example"


class DemoAccount(msgspec.Struct, frozen=True):
    """One account: login, the person's name in both scripts, role, and what one can try with it."""

    login: str
    name: str
    name_latin: str
    role: Role
    hint: str


def _account(role: Role, name: str, name_latin: str, hint: str) -> DemoAccount:
    return DemoAccount(f"{role}@{DOMAIN}", name, name_latin, role, hint)


ACCOUNTS = (
    _account(Role.OWNER, "林秀英", "Lin Xiuying", N_("Book a room, paste the key")),
    _account(Role.MEMBER, "王小满", "Wang Xiaoman", N_("Book for the merchant")),
    _account(Role.STREAMER, "赵一鸣", "Zhao Yiming", N_("Run the show")),
    _account(Role.CONTROLLER, "陈倩", "Chen Qian", N_("Switch scenes and sound")),
    _account(Role.MENTOR, "周文海", "Zhou Wenhai", N_("See the start-ups")),
    _account(Role.MANAGER, "刘敏", "Liu Min", N_("Follow the merchants")),
    _account(Role.STAFF, "李芳", "Li Fang", N_("Run the day at the desk")),
    _account(Role.OPERATOR, "李师傅", "Li Shifu", N_("Look after OBS and tablets")),
    _account(Role.AUDITOR, "何静", "He Jing", N_("Read everything")),
    _account(Role.ADMIN, "张强", "Zhang Qiang", N_("Set everything up")),
)
