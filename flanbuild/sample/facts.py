"""Well-known facts of the real world: countries, animals, elements, works, tools. Data only."""

from flanbuild.sample.world import words

# name, capital, continent, currency, language
COUNTRIES = tuple(
    words(line, ",")
    for line in words(
        """France,Paris,Europe,euro,French
Germany,Berlin,Europe,euro,German
Spain,Madrid,Europe,euro,Spanish
Italy,Rome,Europe,euro,Italian
Portugal,Lisbon,Europe,euro,Portuguese
Greece,Athens,Europe,euro,Greek
Finland,Helsinki,Europe,euro,Finnish
Austria,Vienna,Europe,euro,German
Estonia,Tallinn,Europe,euro,Estonian
Latvia,Riga,Europe,euro,Latvian
Lithuania,Vilnius,Europe,euro,Lithuanian
Sweden,Stockholm,Europe,krona,Swedish
Norway,Oslo,Europe,krone,Norwegian
Denmark,Copenhagen,Europe,krone,Danish
Iceland,Reykjavík,Europe,króna,Icelandic
Poland,Warsaw,Europe,złoty,Polish
Hungary,Budapest,Europe,forint,Hungarian
Czechia,Prague,Europe,koruna,Czech
Romania,Bucharest,Europe,leu,Romanian
Ukraine,Kyiv,Europe,hryvnia,Ukrainian
Japan,Tokyo,Asia,yen,Japanese
China,Beijing,Asia,yuan,Mandarin
South Korea,Seoul,Asia,won,Korean
Thailand,Bangkok,Asia,baht,Thai
Vietnam,Hanoi,Asia,dong,Vietnamese
India,New Delhi,Asia,rupee,Hindi
Mongolia,Ulaanbaatar,Asia,tögrög,Mongolian
Nepal,Kathmandu,Asia,rupee,Nepali
Egypt,Cairo,Africa,pound,Arabic
Morocco,Rabat,Africa,dirham,Arabic
Kenya,Nairobi,Africa,shilling,Swahili
Ethiopia,Addis Ababa,Africa,birr,Amharic
Ghana,Accra,Africa,cedi,English
Nigeria,Abuja,Africa,naira,English
Brazil,Brasília,South America,real,Portuguese
Argentina,Buenos Aires,South America,peso,Spanish
Chile,Santiago,South America,peso,Spanish
Peru,Lima,South America,sol,Spanish
Colombia,Bogotá,South America,peso,Spanish
Mexico,Mexico City,North America,peso,Spanish
Canada,Ottawa,North America,dollar,English
Cuba,Havana,North America,peso,Spanish
Australia,Canberra,Oceania,dollar,English
New Zealand,Wellington,Oceania,dollar,English""",
        "\n",
    )
)
# name, class, young, food, legs
ANIMALS = tuple(
    words(line, ",")
    for line in words(
        """cow,mammal,calf,grass,four
horse,mammal,foal,grass,four
sheep,mammal,lamb,grass,four
goat,mammal,kid,leaves,four
pig,mammal,piglet,roots,four
dog,mammal,puppy,bones and scraps,four
cat,mammal,kitten,mice,four
lion,mammal,cub,zebras and antelopes,four
bear,mammal,cub,berries,four
deer,mammal,fawn,leaves,four
elephant,mammal,calf,leaves,four
giraffe,mammal,calf,leaves,four
kangaroo,mammal,joey,grass,two
whale,mammal,calf,plankton,none
duck,bird,duckling,water plants,two
goose,bird,gosling,grass,two
hen,bird,chick,grain,two
swan,bird,cygnet,water plants,two
owl,bird,owlet,mice,two
eagle,bird,eaglet,hares,two
frog,amphibian,tadpole,insects,four
newt,amphibian,larva,worms,four
salmon,fish,fry,shrimps,none
shark,fish,pup,fish,none
butterfly,insect,caterpillar,nectar,six
bee,insect,larva,nectar,six
ant,insect,larva,sweet sap,six
spider,arachnid,spiderling,insects,eight
snake,reptile,hatchling,mice,none
crocodile,reptile,hatchling,fish,four
turtle,reptile,hatchling,water plants,four""",
        "\n",
    )
)
# name, symbol, atomic number
ELEMENTS = tuple(
    words(item, ":")
    for item in words(
        "hydrogen:H:1 helium:He:2 lithium:Li:3 carbon:C:6 nitrogen:N:7 oxygen:O:8 neon:Ne:10 sodium:Na:11 "
        "magnesium:Mg:12 aluminium:Al:13 silicon:Si:14 phosphorus:P:15 sulphur:S:16 chlorine:Cl:17 "
        "potassium:K:19 calcium:Ca:20 titanium:Ti:22 iron:Fe:26 nickel:Ni:28 copper:Cu:29 zinc:Zn:30 "
        "silver:Ag:47 tin:Sn:50 iodine:I:53 gold:Au:79 mercury:Hg:80 lead:Pb:82 uranium:U:92"
    )
)
PLANETS = words("Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune")
ORDINALS = words("first second third fourth fifth sixth seventh eighth")
# work, what was done, by whom
WORKS = tuple(
    words(line, ",")
    for line in words(
        """Don Quixote,wrote,Miguel de Cervantes
Hamlet,wrote,William Shakespeare
War and Peace,wrote,Leo Tolstoy
Pride and Prejudice,wrote,Jane Austen
Frankenstein,wrote,Mary Shelley
Moby-Dick,wrote,Herman Melville
Dracula,wrote,Bram Stoker
Faust,wrote,Johann Wolfgang von Goethe
Les Misérables,wrote,Victor Hugo
the Divine Comedy,wrote,Dante Alighieri
Oliver Twist,wrote,Charles Dickens
The Metamorphosis,wrote,Franz Kafka
Jane Eyre,wrote,Charlotte Brontë
the Mona Lisa,painted,Leonardo da Vinci
The Starry Night,painted,Vincent van Gogh
Guernica,painted,Pablo Picasso
The Scream,painted,Edvard Munch
The Night Watch,painted,Rembrandt
The Magic Flute,composed,Wolfgang Amadeus Mozart
Swan Lake,composed,Pyotr Ilyich Tchaikovsky
The Four Seasons,composed,Antonio Vivaldi
Messiah,composed,George Frideric Handel
the opera Carmen,composed,Georges Bizet
the opera Aida,composed,Giuseppe Verdi
Boléro,composed,Maurice Ravel
penicillin,discovered,Alexander Fleming
radium,discovered,Marie Curie
the X-ray,discovered,Wilhelm Röntgen
the periodic table,proposed,Dmitri Mendeleev
dynamite,invented,Alfred Nobel""",
        "\n",
    )
)
# instrument, what it measures
GAUGES = tuple(
    words(item, ":")
    for item in words(
        "thermometer:temperature,barometer:air pressure,ruler:length,balance:mass,stopwatch:time,"
        "anemometer:wind speed,rain gauge:rainfall,graduated cylinder:volume of a liquid,"
        "ammeter:electric current,compass:direction,protractor:angle,seismograph:earthquakes,"
        "spring scale:force",
        ",",
    )
)
# part, what it does
ORGANS = tuple(
    words(item, ":")
    for item in words(
        "heart:pumps blood,lungs:take in oxygen,stomach:digests food,kidneys:filter blood,brain:controls "
        "the body,skin:covers and protects the body,bones:support the body,muscles:move the "
        "body,eyes:sense light,ears:sense sound,roots:take up water from soil,leaves:make food from "
        "sunlight,stem:carries water to the leaves,flower:makes seeds",
        ",",
    )
)
# class: members of no other class
SORTS = {
    "a metal that conducts electricity": words("copper,iron,silver,aluminium,gold", ","),
    "a material that does not conduct electricity": words("rubber,glass,dry wood,plastic,wool", ","),
    "an energy source that can be renewed": words(
        "sunlight,wind,tides,falling water,heat from the ground", ","
    ),
    "a fossil fuel": words("coal,oil,natural gas", ","),
    "a producer in a food chain": words("grass,an oak tree,algae,a rose bush,corn", ","),
    "a carnivore": words("a lion,a shark,an eagle,a wolf,a crocodile", ","),
    "a plant eater": words("a rabbit,a deer,a cow,a sheep,a giraffe", ","),
    "a body in the solar system": words("the Moon,Mars,the Sun,Saturn,Venus", ","),
    "a form of precipitation": words("rain,snow,hail,sleet", ","),
    "a gas at room temperature": words("oxygen,nitrogen,helium,carbon dioxide,hydrogen", ","),
    "a simple machine": words("a lever,a pulley,a wheel and axle,an inclined plane,a wedge", ","),
    "a chemical change": words("wood burning,iron rusting,milk turning sour,bread baking,an egg frying", ","),
    "a physical change": words(
        "ice melting,paper tearing,glass breaking,water boiling,sugar dissolving", ","
    ),
}
# cause, what follows, why: one line of elementary science each
LAWS = (
    ("water is cooled below zero degrees Celsius", "it freezes into ice", "liquids become solid when enough heat is taken away"),
    ("water is heated to one hundred degrees Celsius", "it boils and becomes steam", "liquids become gas when enough heat is added"),
    ("an iron nail lies in wet air for months", "it rusts", "iron reacts with water and oxygen"),
    ("a plant is kept in the dark for weeks", "it turns pale and dies", "plants need light to make food"),
    ("two magnets face each other with the same pole", "they push each other away", "like poles repel"),
    ("two magnets face each other with opposite poles", "they pull each other together", "opposite poles attract"),
    ("a ball is let go above the floor", "it falls down", "gravity pulls things towards the Earth"),
    ("a switch in a circuit is opened", "the lamp goes out", "current flows only in a closed circuit"),
    ("sugar is stirred into hot tea", "it dissolves", "hot water dissolves sugar quickly"),
    ("a metal spoon stands in hot soup", "its handle becomes warm", "metal conducts heat"),
    ("the Moon comes between the Sun and the Earth", "there is a solar eclipse", "the Moon blocks the light of the Sun"),
    ("the Earth turns once around itself", "one day and one night pass", "the turning of the Earth makes day and night"),
    ("the Earth travels once around the Sun", "one year passes", "a year is one orbit of the Earth"),
    ("rabbits lose all the foxes that hunt them", "there are more rabbits", "predators keep the number of prey down"),
    ("a hen sits on fertilised eggs for three weeks", "chicks hatch", "eggs of birds develop when kept warm"),
    ("a river slows down where it meets the sea", "it drops its mud and sand", "slow water carries less sediment"),
    ("you rub your hands together", "they become warm", "friction makes heat"),
    ("a person exercises hard", "the heart beats faster", "muscles at work need more oxygen"),
    ("puddles lie in the sun", "they dry up", "heat makes water evaporate"),
    ("warm air meets a cold window", "drops form on the glass", "water vapour condenses on cold surfaces"),
    ("a caterpillar leaves its cocoon", "it has become a butterfly", "butterflies change their form as they grow"),
    ("a bee visits many flowers", "pollen is carried between them", "bees pollinate flowers"),
    ("white light passes through a prism", "it splits into colours", "light of each colour bends by another angle"),
    ("a guitar string is made shorter", "its tone becomes higher", "short strings vibrate faster"),
    ("a bear eats much in autumn", "it stores fat for winter", "animals that hibernate live on stored fat"),
)  # fmt: skip
