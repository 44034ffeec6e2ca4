"""The words of the generated texts: people, places, things, activities. Data only."""


def words(text: str, separator: str | None = None) -> tuple[str, ...]:
    """Splits one string into a tuple of short strings."""
    return tuple(text.split(separator))


FEMALE = words(
    "Ada Alma Amina Anna Astrid Beatriz Bella Carmen Chloé Clara Daisy Dana Edith Elena Elif Emma Fatima "
    "Flora Freya Grace Greta Hana Harriet Ida Inès Iris Jana Joan Julia Karin Kira Lara Leila Lena Lucy "
    "Mara María Mei Mina Nadia Nell Nina Nora Olga Paula Petra Priya Rosa Ruth Sanna Sara Selma Sofia "
    "Tess Vera Wanda Yuki Zoë"
)
MALE = words(
    "Adam Ahmed Albert Anton Arne Arthur Basil Bruno Carlos Cem Colin Daniel David Dmitri Edgar Eero Emil "
    "Erik Felix Frank George Hans Hassan Henry Hugo Ivan Jack Jakob James Jan João Jonas José Karl Kenji "
    "Leo Louis Lukas Marco Martin Matti Max Milan Nils Omar Oscar Otto Paul Peter Rafael Ravi Robert "
    "Samir Simon Søren Stefan Thomas Victor Walter Wei Yusuf Zoltán"
)
SURNAMES = words(
    "Abbott Ahlberg Arslan Baker Banerjee Barnes Bauer Becker Berg Blum Brandt Brook Castro Chen Clarke "
    "Cole Costa Dalton Davies Demir Dubois Duarte Ekström Farrow Fischer Fontaine Foster Garcia Grant "
    "Haas Hale Hansen Harper Hayashi Heller Holm Horváth Hughes Ivanova Jansen Jensen Kaya Keller Khan "
    "Klein Kovač Laine Lange Larsen Lind Lopez Marsh Mendes Meyer Moreau Moss Nakamura Nielsen Novak "
    "Okafor Olsen Osman Palmer Park Pavlova Pereira Petit Popescu Price Quinn Rahman Reed Rossi Sandberg "
    "Santos Sato Silva Singh Sørensen Stone Suzuki Tanaka Thorne Turner Varga Virtanen Vogel Walsh Weber "
    "Wells West Winter Wolf Wood Yılmaz Young Zeman Zhang"
)

TOWN_STARTS = words(
    "Alder Amber Ash Barley Birch Bramble Briar Cedar Clover Copper Crane Dove Elder Elm Falcon Fern "
    "Flint Fox Glen Gold Green Grey Harrow Hazel Heather Heron Holly Iron Ivy Juniper Kings Lark Laurel "
    "Linden Maple Marl Mill Moon North Oak Otter Pine Raven Red Rose Rowan Sand Silver South Stone Swan "
    "Thorn Willow Winter Wren"
)
TOWN_ENDS = words("bridge brook bury by dale field ford gate ham haven hill mouth port stead ton wick")
REGIONS = words(
    "Aldermark,Belmora,Castria,Dunmere,Eastfold,Fennland,Galdor,Highmoor,Isenwald,Kestria,Lowmarch,Merania,"
    "Norvale,Ostland,Perrin,Quillshire,Rivermark,Solvia,Tarnland,Upper Vale,Westmarch,Yarrow",
    ",",
)
RIVERS = words(
    "Alda Brenn Calder Dorn Eska Farrow Gella Harn Isel Jorra Kell Lorne Mira Nedra Orla Pell Rhune Sava "
    "Tamsel Ulla Vesk Wend Yare Zell"
)
PRODUCTS = words(
    "apples,barrels,bells,bicycles,books,boots,bricks,brushes,candles,carpets,cheese,chocolate,clocks,"
    "coats,cups,engines,flutes,furniture,gloves,hats,honey,ink,kites,knives,lamps,lenses,mirrors,mustard,"
    "nails,needles,olive oil,paper,pianos,pottery,radios,ropes,salt,ships,silk,soap,spoons,steel,sugar,"
    "tea,tiles,toys,umbrellas,violins,watches,wine,wool",
    ",",
)
LANDMARKS = words(
    "an old lighthouse,a glass tower,a round castle,a stone windmill,a copper dome,a wooden church,a "
    "covered market,a floating theatre,a hanging garden,a marble fountain,a brick water tower,a ruined "
    "abbey,a painted town hall,a giant sundial,a whale museum,a tram museum",
    ",",
)
FESTIVALS = words(
    "a kite festival,a lantern festival,a soup festival,a jazz festival,a book fair,a cheese fair,a boat "
    "race,a flower parade,a snow carnival,a film week,a pumpkin market,a puppet festival,a harvest "
    "dance,a chess open",
    ",",
)
STREETS = tuple(
    f"{name} {kind}"
    for kind in ("Street", "Lane", "Square", "Road")
    for name in words(
        "Baker Bridge Canal Castle Chapel Church Garden Harbour High Market Mill Orchard Park Station"
    )
)
JOBS = words(
    "actor,architect,astronaut,baker,biologist,carpenter,chemist,clockmaker,composer,cook,dancer,dentist,"
    "diver,doctor,engineer,farmer,firefighter,fisherman,gardener,geologist,historian,journalist,judge,"
    "lawyer,librarian,locksmith,mechanic,miner,musician,nurse,painter,pharmacist,photographer,physicist,"
    "pilot,plumber,poet,potter,sailor,sculptor,shepherd,singer,surgeon,tailor,teacher,translator,vet,"
    "waiter,weaver,writer",
    ",",
)
SUBJECTS = words(
    "astronomy,biology,botany,chemistry,economics,engineering,geography,geology,history,law,linguistics,"
    "literature,mathematics,medicine,music,philosophy,physics,psychology,theology,zoology",
    ",",
)
INSTRUMENTS = words(
    "accordion,banjo,bassoon,cello,clarinet,drums,flute,guitar,harp,mandolin,oboe,organ,piano,saxophone,"
    "trombone,trumpet,tuba,viola,violin",
    ",",
)
LANGUAGES = words(
    "Arabic,Bengali,Czech,Danish,Dutch,Finnish,French,German,Greek,Hindi,Hungarian,Italian,Japanese,"
    "Korean,Mandarin,Norwegian,Polish,Portuguese,Romanian,Russian,Spanish,Swahili,Swedish,Tamil,Turkish,"
    "Vietnamese",
    ",",
)
AWARDS = tuple(
    f"the {adjective} {thing}"
    for thing in ("Medal", "Prize", "Cup", "Award")
    for adjective in words("Amber Blue Crystal Golden Northern Royal Silver Summer")
)
PETS = words(
    "a cat,a dog,a goat,a goose,a horse,a parrot,a pony,a rabbit,a snake,a tortoise,two cats,three hens", ","
)
GENRES = words(
    "adventure story,biography,children's book,collection of poems,cookbook,crime novel,fairy tale,ghost "
    "story,historical novel,love story,science fiction novel,travel book,war novel,play",
    ",",
)
MATERIALS = words("brick,concrete,glass,granite,iron,limestone,marble,oak,sandstone,slate,steel,timber", ",")
COLOURS = words("black,blue,brown,green,grey,orange,pink,purple,red,white,yellow", ",")
MONTHS = words("January February March April May June July August September October November December")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
BEASTS = words(
    "Badgers Bears Bisons Comets Cranes Dolphins Eagles Falcons Foxes Hawks Herons Lions Lynxes Otters Owls "
    "Panthers Pirates Ravens Rovers Sharks Stags Storks Tigers Wolves"
)
INGREDIENTS = words(
    "almonds,apricots,barley,beans,beef,cabbage,carrots,chestnuts,chickpeas,cod,garlic,ginger,goat cheese,"
    "herring,honey,lamb,leeks,lemon,lentils,mushrooms,noodles,onions,peppers,pork,potatoes,pumpkin,rice,"
    "salmon,spinach,tomatoes,walnuts",
    ",",
)

# Characters that any text may contain: brackets, braces, quotes, tabs, other scripts, characters beyond 16 bits.
ASIDES = (
    "See note {3}.",
    "(The form said {name} and nothing else.)",
    'The sign said "Closed }".',
    "A boy called: 'Wait {a minute}!'",
    "Column\tvalue\tother.",
    "The label reads 東京 – 大阪.",
    "Καλημέρα was all the note said.",
    "На двери висит записка.",
    "Price: 5 € & up <b>now</b>.",
    "A heart ❤ was drawn below. 🙂",
    "One line\nanother line.",
    "C:\\new\\table was the folder.",
)
