"""A believable centre in Qinyang: rooms, merchants with local products, and the titles of their shows."""

import msgspec


class DemoRoom(msgspec.Struct, frozen=True):
    """One space; setup and teardown in minutes, canvas in pixels (0 where there is no rig)."""

    kind: str
    code: str
    name: str
    name_en: str
    note: str
    note_en: str
    capacity: int = 1
    setup_min: int = 0
    teardown_min: int = 0
    canvas: tuple[int, int] = (0, 0)


PORTRAIT, LANDSCAPE = (1080, 1920), (1920, 1080)

ROOMS = (
    DemoRoom("live_room", "L1", "1 号间", "Room 1", "标准带货", "Standard selling", 6, 15, 15, PORTRAIT),
    DemoRoom("live_room", "L2", "2 号间", "Room 2", "标准带货", "Standard selling", 6, 15, 15, PORTRAIT),
    DemoRoom("live_room", "L3", "3 号间", "Room 3", "厨房实景", "Working kitchen", 8, 30, 30, PORTRAIT),
    DemoRoom("live_room", "L4", "4 号间", "Room 4", "茶席", "Tea table", 4, 15, 15, PORTRAIT),
    DemoRoom("live_room", "L5", "5 号间", "Room 5", "双机位", "Two cameras", 8, 15, 15, LANDSCAPE),
    DemoRoom("live_room", "L6", "6 号间", "Room 6", "绿幕", "Green screen", 4, 15, 15, LANDSCAPE),
    DemoRoom("training_room", "T1", "培训一室", "Training room 1", "投影、30 座", "Projector, 30 seats", 30, 15, 15),
    DemoRoom("training_room", "T2", "培训二室", "Training room 2", "电脑、20 座", "Computers, 20 seats", 20, 15, 15),
    DemoRoom("meeting_room", "M1", "会议一室", "Meeting room 1", "8 座", "8 seats", 8),
    DemoRoom("meeting_room", "M2", "会议二室", "Meeting room 2", "4 座", "4 seats", 4),
)
DESKS = 24


class DemoMerchant(msgspec.Struct, frozen=True):
    """One merchant: full and short name, kind, the first 16 characters of its credit code, owner, town, products, shows."""

    name: str
    short_name: str
    kind: str
    code_body: str
    owner: str
    owner_latin: str
    phone: str
    town: str
    products: str
    shops: tuple[tuple[str, str], ...]
    shows: tuple[str, ...]


MERCHANTS = (
    DemoMerchant("沁阳市沁河花茶有限公司", "沁河花茶", "enterprise", "91410882MA45T7QK", "林秀英", "Lin Xiuying", "13839105621",
                 "怀庆街道", "怀菊花茶、冬凌草茶", (("douyin", "沁河花茶旗舰店"), ("taobao", "沁河花茶")),
                 ("怀菊花茶秋季场", "花茶教学", "冬凌草茶试播")),
    DemoMerchant("沁阳市怀山堂铁棍山药有限公司", "怀山堂", "enterprise", "91410882MA46B3HX", "王怀山", "Wang Huaishan", "13839105622",
                 "西向镇", "铁棍山药、山药粉", (("douyin", "怀山堂官方店"), ("pinduoduo", "怀山堂山药")),
                 ("铁棍山药早场", "山药粉冲饮", "垆土山药开挖")),
    DemoMerchant("沁阳市覃怀地黄专业合作社", "覃怀地黄", "cooperative", "93410882MA47C9NW", "张玉兰", "Zhang Yulan", "13839105623",
                 "崇义镇", "九蒸地黄、地黄膏", (("kuaishou", "覃怀地黄合作社"),), ("九蒸地黄", "地黄膏返场", "药膳课")),
    DemoMerchant("沁阳市怀府驴肉食品有限公司", "怀府驴肉", "enterprise", "91410882MA48D2LR", "马建国", "Ma Jianguo", "13839105624",
                 "怀庆街道", "驴肉、闹汤驴肉礼盒", (("douyin", "怀府驴肉"), ("jd", "怀府驴肉旗舰店")),
                 ("驴肉火锅节", "闹汤驴肉试吃", "年货礼盒专场")),
    DemoMerchant("沁阳市盆窑黑陶工艺店", "盆窑黑陶", "sole_trader", "92410882MA49E5PT", "韩大河", "Han Dahe", "13839105625",
                 "紫陵镇", "黑陶茶具、花器", (("xiaohongshu", "盆窑黑陶"),), ("黑陶拉坯全程", "茶具开窑", "花器讲解")),
    DemoMerchant("沁阳市太行牛膝药业有限公司", "太行牛膝", "enterprise", "91410882MA4AF8XU", "崔明", "Cui Ming", "13839105626",
                 "常平乡", "怀牛膝、养生茶", (("tmall", "太行牛膝旗舰店"),), ("牛膝茶品鉴", "怀药知识课")),
    DemoMerchant("沁阳市良农果蔬专业合作社", "良农果蔬", "cooperative", "93410882MA4BG1QY", "宋小红", "Song Xiaohong", "13839105627",
                 "王曲乡", "设施蔬菜、草莓", (("pinduoduo", "良农果蔬"),), ("大棚草莓现摘", "蔬菜盲盒")),
    DemoMerchant("沁阳市神农陶生活馆", "神农陶", "sole_trader", "92410882MA4CH4WA", "李红旗", "Li Hongqi", "13839105628",
                 "山王庄镇", "陶制炊具", (("wechat_channels", "神农陶"),), ("陶锅炖汤", "炊具答疑")),
    DemoMerchant("沁阳市四大怀药联营有限公司", "怀药人家", "enterprise", "91410882MA4DJ7EC", "郭玉霞", "Guo Yuxia", "13839105629",
                 "柏香镇", "山药、地黄、菊花、牛膝", (("douyin", "怀药人家"), ("taobao", "怀药人家")),
                 ("四大怀药专场", "山药炖汤现场做", "怀药礼盒")),
    DemoMerchant("沁阳市巧媳妇手工坊", "巧媳妇手工", "sole_trader", "92410882MA4EK0RF", "赵桂花", "Zhao Guihua", "13839105630",
                 "王召乡", "虎头鞋、布艺", (("kuaishou", "巧媳妇手工坊"),), ("虎头鞋手作", "布艺小课")),
    DemoMerchant("沁阳市丹河蜂业专业合作社", "丹河蜂业", "cooperative", "93410882MA4FL3TH", "杨占山", "Yang Zhanshan", "13839105631",
                 "常平乡", "荆条蜜、蜂王浆", (("jd", "丹河蜂业"),), ("荆条蜜摇蜜", "蜂蜜真假课")),
    DemoMerchant("许家小米农场（许青山）", "许家小米", "natural_person", "", "许青山", "Xu Qingshan", "13839105632",
                 "山王庄镇", "小米、杂粮", (("douyin", "许家小米"),), ("新小米开碾", "杂粮粥早场")),
)
