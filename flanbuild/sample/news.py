"""News: headlines, leads and details by topic, debates, chats. Data, and the stories made from it.

{p} {q} people, {t} {u} towns, {r} a region, {v} a river, {m} {k} firms, {g} goods, {d} a day, {n} a small and {N} a
large number, {c} {b} clubs, {x} {y} goals of the winner and the loser.
"""

from dataclasses import dataclass

from flanbuild.sample.entities import COMPANIES, KINDS, PEOPLE, TOWNS
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import DAYS, PRODUCTS, REGIONS, RIVERS

TOPICS = ("World", "Sports", "Business", "Sci/Tech")

# By topic: headline, lead, three details that support the lead.
_STORIES = (
    (
        ("Flood drives hundreds from homes in {t}", "{N} people had to leave their homes in {t} after the river {v} burst its banks", ("The river {v} rose over its banks on {d}", "Helpers brought {N} people from {t} to safety", "{p}, the mayor, called it the worst flood in {n} years")),
        ("{r} and its neighbours sign peace deal", "the government of {r} signed a peace deal in {t} after {n} months of talks", ("The talks had gone on for {n} months", "Ministers signed the paper in {t} on {d}", "{p}, who led the talks for {r}, spoke of a new beginning")),
        ("{p} elected leader of {r}", "{p} won the election in {r} with {n} per cent of the vote", ("Voters in {r} went to the polls on {d}", "{p} got {n} per cent of the vote", "{q}, who came second, wished the winner luck")),
        ("Fire destroys market hall in {t}", "a fire destroyed the old market hall of {t} and {n} people were hurt", ("The fire broke out in the market hall on {d}", "Doctors in {t} treated {n} people", "{p} of the fire brigade said the roof had fallen in")),
        ("Thousands march in {t} against new tax", "{N} people marched through {t} against a new tax on {g}", ("The march through {t} took place on {d}", "The police counted {N} people", "The new tax makes {g} {n} per cent dearer, said {p}")),
        ("Bridge between {t} and {u} collapses", "a bridge on the road from {t} to {u} collapsed, leaving {n} lorries in the river", ("The bridge gave way on {d}", "Divers found {n} lorries in the river", "{p}, a driver from {u}, swam ashore")),
    ),
    (
        ("{c} beat {b} in final", "{c} won the cup final in {t}, beating {b} by {x} goals to {y}", ("The final was played in {t} on {d}", "{c} scored {x} goals and {b} {y}", "{p} scored in the last minute, said coach {q}")),
        ("{p} breaks record at {t} marathon", "{p} won the marathon of {t} and broke the record by {n} seconds", ("The runners started in {t} on {d}", "{p} was {n} seconds faster than the old record", "{q} came in second")),
        ("Injured {p} out for {n} weeks", "{p} of {c} will miss {n} weeks after an injury in the match against {b}", ("{p} fell in the match against {b} on {d}", "Doctors of {c} said the knee needs {n} weeks", "{q} will take the place in the team")),
        ("{c} sign striker {p}", "{c} signed the striker {p} from {b} for {n} million crowns", ("{p} used to play for {b}", "{c} will pay {n} million crowns", "The new player met the fans in {t} on {d}, coach {q} said")),
        ("{p} wins open tennis title in {t}", "{p} beat {q} to win the tennis title in {t}", ("The match in {t} lasted {n} games", "{q} lost the last set on {d}", "{p} lifted the cup for the first time")),
        ("Coach {p} leaves {c}", "{c} parted with coach {p} after {n} defeats", ("{c} had lost {n} games", "{p} spoke to the players on {d}", "{q} will train the team until summer")),
    ),
    (
        ("{m} to buy {k} for {n} million", "{m} agreed to buy {k} for {n} million crowns", ("The two firms shook hands in {t} on {d}", "{m} will pay {n} million crowns for {k}", "{p}, head of {m}, wants to sell more {g}")),
        ("{m} cuts {N} jobs in {t}", "{m} will cut {N} jobs at its works in {t} because fewer people buy {g}", ("{m} told its workers on {d}", "{N} people in {t} will lose their jobs", "Sales of {g} have fallen, said {p}")),
        ("Profit of {m} up {n} per cent", "the profit of {m} rose by {n} per cent on strong sales of {g}", ("{m} showed its figures on {d}", "The profit was {n} per cent higher than last year", "{p} said that {g} had sold well in {r}")),
        ("Price of {g} hits new high", "the price of {g} rose to {n} crowns, the highest in {r} this year", ("Traders in {t} paid {n} crowns for {g} on {d}", "It is the highest price in {r} this year", "{p}, a trader, blamed the bad weather")),
        ("{m} opens factory in {t}", "{m} opened a factory for {g} in {t} that gives work to {N} people", ("The factory in {t} opened on {d}", "{N} people will make {g} there", "{p}, head of {m}, cut the ribbon")),
        ("Shares of {m} fall after recall of {g}", "shares of {m} fell by {n} per cent after the firm called back its {g}", ("{m} called back its {g} on {d}", "The shares lost {n} per cent", "{p} found the fault in a shop in {t}")),
    ),
    (
        ("Scientists in {t} find new planet", "scientists in {t} found a planet that circles its star in {n} days", ("The planet was seen with the telescope of {t} on {d}", "It needs {n} days for one turn around its star", "{p}, who led the search, named it after {q}")),
        ("{m} shows robot that folds laundry", "{m} showed a robot in {t} that folds {n} shirts in an hour", ("The robot was shown in {t} on {d}", "It folds {n} shirts in an hour", "{p}, an engineer at {m}, built it with software of {k}")),
        ("Virus hits computers in {r}", "a computer virus stopped {N} machines in {r}", ("The virus spread on {d}", "{N} computers in {r} stood still", "{p} of {m} advised everybody to update the software")),
        ("New battery lasts {n} days", "a battery made by {m} lets telephones run for {n} days", ("{m} tested the battery in {t}", "Telephones ran for {n} days without a charge", "{p} presented the battery on {d}")),
        ("Probe lands on distant moon", "a space probe built in {t} landed on a moon after a flight of {n} months", ("The probe touched down on {d}", "Its flight had taken {n} months", "{p}, an engineer from {t}, cheered with the team")),
        ("Fossil of giant bird found near {t}", "researchers found the fossil of a bird as tall as {n} feet near {t}", ("The bones lay in a quarry near {t}", "The bird stood {n} feet tall", "{p} and {q} dug it out on {d}")),
    ),
)  # fmt: skip
_FILLERS = (
    "{q} said more would be known by the end of the week", "People in {u} followed the news with interest",
    "A similar thing had happened in {r} before", '"We did not expect this", said {q}',
    "Reporters from {u} were there", "The weather on the day was {w}", "Nobody else wanted to comment",
    "{q} has lived in {t} for {n} years", "More is to follow", "The newspaper of {u} had a photograph on its first page",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    """A news story. Sentences have a capital but no full stop."""

    topic: int
    headline: str
    lead: str
    details: tuple[str, ...]
    fillers: tuple[str, ...]
    town: str
    region: str
    day: str


def story(row: SampleRow, purpose: str) -> Story:
    """A story about a random topic; its details imply its lead."""
    topic = row.below(f"{purpose} topic", len(TOPICS))
    headline, lead, details = row.one(f"{purpose} story", _STORIES[topic])
    fill = _fill(row, purpose)
    fillers = row.some(f"{purpose} fillers", _FILLERS, 6)
    return Story(
        topic,
        _capital(headline.format(**fill)),
        _capital(lead.format(**fill)),
        tuple(_capital(detail.format(**fill)) for detail in details),
        tuple(_capital(filler.format(**fill)) for filler in fillers),
        fill["t"],
        fill["r"],
        fill["d"],
    )


def _fill(row: SampleRow, purpose: str) -> dict[str, str]:
    p, q = row.some(f"{purpose} people", PEOPLE, 2)
    t, u = row.some(f"{purpose} towns", TOWNS, 2)
    m, k = row.some(f"{purpose} firms", COMPANIES, 2)
    c, b = row.some(f"{purpose} clubs", KINDS["club"].names, 2)
    loser = row.below(f"{purpose} loser", 5)
    return {
        "p": p, "q": q, "t": t, "u": u, "m": m, "k": k, "c": c, "b": b,
        "r": row.one(f"{purpose} region", REGIONS),
        "v": row.one(f"{purpose} river", RIVERS),
        "g": row.one(f"{purpose} goods", PRODUCTS),
        "d": row.one(f"{purpose} day", DAYS),
        "w": row.one(f"{purpose} weather", ("cold", "fine", "wet", "windy", "foggy")),
        "n": str(row.between(f"{purpose} n", 3, 97)),
        "N": f"{10 * row.between(f'{purpose} N', 12, 980):,}",
        "x": str(loser + row.between(f"{purpose} ahead", 1, 4)),
        "y": str(loser),
    }  # fmt: skip


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


# Motion, then the two claims, each with its arguments.
DEBATES = (
    ("ban cars from town centres", ("Streets without cars are safer", ("fewer children are run over", "cyclists need not fear lorries", "old people cross the street with ease", "drivers no longer hit walkers", "accidents become rare")), ("Shops would lose customers", ("people buy where they can park", "heavy goods cannot be carried on foot", "shops by the motorway would win", "owners fear for their income", "fewer visitors come from far away"))),
    ("make museums free of charge", ("More people would visit museums", ("families with little money could come", "pupils would drop in after school", "tourists stay longer in free museums", "nobody is kept out by the price", "visits rose where entry became free")), ("Museums need the money", ("roofs and lifts must be repaired", "guards have to be paid", "new pictures cost a fortune", "taxes alone do not suffice", "without tickets the budget shrinks"))),
    ("start school at nine o'clock", ("Rested pupils learn better", ("teenagers fall asleep late", "tired heads forget quickly", "marks rise after a long night", "nobody listens while yawning", "sleep helps memory")), ("Parents could not get to work in time", ("many jobs begin at eight", "small children cannot be left alone", "two trips a morning are too many", "employers expect punctual staff", "grandparents do not live next door"))),
    ("forbid the use of plastic bags", ("Animals would be saved", ("turtles swallow bags", "birds get caught in plastic", "fish eat tiny scraps", "cattle choke on rubbish", "seals are strangled by it")), ("Other bags are no better", ("paper takes much water to make", "cotton must be used hundreds of times", "thick bags are thrown away too", "people buy bin liners instead", "the harm only moves elsewhere"))),
    ("teach chess in every school", ("Chess trains the mind", ("players learn to plan ahead", "patience grows with every game", "pupils get better at sums", "losing teaches to think again", "concentration lasts longer")), ("There is no time for chess", ("lessons already fill the day", "reading and writing come first", "sport is cut back as it is", "teachers cannot do everything", "homework takes all afternoon"))),
    ("give every citizen the same income", ("Nobody would be poor", ("rent could always be paid", "children would not go hungry", "old people could live in dignity", "losing a job would not mean losing a home", "beggars would vanish from the streets")), ("It would cost too much", ("taxes would have to double", "the state is in debt already", "the rich do not need it", "prices would rise", "no country has that much money"))),
)  # fmt: skip

# Chats between {a} and {b}: the messages in turn, and the summary.
CHATS = (
    (("Hi {b}, are you free on {d}?", "Yes, why?", "Let's go to the {place} in {t} at {h}", "Great, see you there :)"), "{a} and {b} will go to the {place} in {t} on {d} at {h}."),
    (("{b}, did you see my {thing}?", "No, where did you leave it?", "I think in the {place}", "Then ask them on {d}, they close at {h} today"), "{a} is looking for a lost {thing} and will ask at the {place} on {d}, as {b} advises."),
    (("I can't come on {d}", "Oh no! Are you ill?", "Yes, {n} days in bed says the doctor", "Get well soon, I'll bring you some {g}"), "{a} is ill and has to stay in bed for {n} days, so {a} can't come on {d}. {b} will bring some {g}."),
    (("Guess what, I got the job in {t}!", "Wow, congratulations! When do you start?", "On {d} :D", "We must celebrate <3"), "{a} got a job in {t} and starts on {d}. {b} wants to celebrate."),
    (("Can you lend me your {thing}?", "Sure, until when?", "Until {d}", "OK, come and get it at {h}"), "{b} will lend {a} a {thing} until {d}."),
    (("What shall we give {x} for the birthday?", "Maybe a {thing}?", "Good idea, {n} crowns each?", "Fine, I'll buy it on {d}"), "{a} and {b} will give {x} a {thing} for the birthday. {b} will buy it on {d}."),
    (("My train to {t} is late again", "How late?", "{n} minutes :(", "Poor you, I'll wait at the {place}"), "{a}'s train to {t} is {n} minutes late. {b} will wait at the {place}."),
    (("Are you bringing {g} to the party?", "No, {x} does", "What do you bring then?", "A {thing}, for the raffle"), "{x} is bringing {g} to the party and {b} a {thing}."),
    (("I bought a {thing} today", "How much?", "Only {n} crowns!", "<file_gif> Lucky you"), "{a} bought a {thing} for {n} crowns."),
    (("Where are we moving the meeting?", "To {d}, {h}", "Same room?", "No, at the {place} in {t}"), "{a} and {b}'s meeting is moved to {d} at {h}, at the {place} in {t}."),
    (("{b}, {x} has broken a leg!", "What happened?", "Slipped near the {place} on {d}", "Let's visit the hospital in {t} at {h}"), "{x} broke a leg near the {place} on {d}. {a} and {b} will visit the hospital in {t} at {h}."),
    (("Do you still have a room to let?", "Yes, {n} crowns a week", "Can I see it on {d}?", "Of course, at {h}"), "{a} will see the room that {b} lets for {n} crowns a week on {d} at {h}."),
)  # fmt: skip
