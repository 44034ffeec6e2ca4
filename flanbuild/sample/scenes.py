"""Scenes of a photograph: a person, an action and a place. Data, and the sentences made from it."""

from dataclasses import dataclass

from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import sentence
from flanbuild.sample.world import words


@dataclass(frozen=True, slots=True)
class Action:
    """`doing` implies `general` and contradicts `instead`; `base` is the verb phrase in the infinitive."""

    doing: str
    base: str
    general: str
    instead: str
    where: str  # "in", "out" or "any"
    nouns: tuple[str, ...]


def _action(line: str) -> Action:
    doing, base, general, instead, where, nouns = words(line, "|")
    return Action(doing, base, general, instead, where, words(nouns))


ACTIONS = tuple(
    _action(line)
    for line in words(
        """playing the violin|play the violin|making music|sleeping on a sofa|any|violin play
playing a guitar|play a guitar|making music|reading in silence|any|guitar play
singing a song|sing a song|using the voice|keeping quite silent|any|sing song
riding a bicycle|ride a bicycle|moving on wheels|lying on the ground|out|ride bicycle
reading a newspaper|read a newspaper|reading something|running a race|any|read newspaper
eating an apple|eat an apple|eating fruit|fasting and eating nothing|any|eat apple
peeling potatoes|peel potatoes|preparing food|driving a lorry|in|peel potato
baking bread|bake bread|preparing food|swimming in a lake|in|bake bread
feeding a horse|feed a horse|taking care of an animal|alone without any animal|out|feed horse
walking a dog|walk a dog|taking care of an animal|alone without any animal|out|walk dog
kicking a ball|kick a ball|using the feet|sitting still on a chair|out|kick ball
throwing a frisbee|throw a frisbee|playing with a toy|sitting still on a chair|out|throw frisbee
climbing a ladder|climb a ladder|going upwards|lying on the ground|any|climb ladder
painting a fence|paint a fence|using paint|sleeping on a sofa|out|paint fence
painting a portrait|paint a portrait|using paint|playing the drums|in|paint portrait
writing a letter|write a letter|writing something|dancing with a partner|any|write letter
washing the dishes|wash the dishes|cleaning something|flying a kite|in|wash dish
washing a car|wash a car|cleaning something|baking a cake|out|wash car
fixing a radio|fix a radio|repairing something|swimming in a lake|in|fix radio
repairing a fence|repair a fence|repairing something|sleeping on a sofa|out|repair fence
dancing a waltz|dance a waltz|dancing|standing without any movement|in|dance waltz
skating on the ice|skate on the ice|moving on ice|sitting in a warm bath|out|skate ice
swimming in a lake|swim in a lake|in the water|dry and far from any water|out|swim lake
digging a hole|dig a hole|using a spade|typing on a keyboard|out|dig hole
planting tulips|plant tulips|gardening|typing on a keyboard|out|plant tulip
picking cherries|pick cherries|gathering fruit|gathering nothing at all|out|pick cherry
cutting paper|cut paper|using scissors|holding nothing|in|cut paper
drinking coffee|drink coffee|drinking something hot|drinking nothing|any|drink coffee
taking a photograph|take a photograph|using a camera|carrying no camera|any|take photograph
watching television|watch television|looking at a screen|outside without any screen|in|watch television
carrying a basket|carry a basket|carrying something|holding nothing|any|carry basket
pushing a pram|push a pram|pushing something|holding nothing|out|push pram
flying a kite|fly a kite|playing with a toy|lying under the bed|out|fly kite
building a sandcastle|build a sandcastle|playing in the sand|standing on the roof|out|build sandcastle
lighting a candle|light a candle|making a flame|sitting in the dark|in|light candle
ironing a shirt|iron a shirt|doing housework|rowing a boat|in|iron shirt
sweeping the floor|sweep the floor|doing housework|rowing a boat|in|sweep floor
rowing a boat|row a boat|on the water|on dry land|out|row boat
waiting for a bus|wait for a bus|waiting for something|driving a bus|out|wait bus
knitting a scarf|knit a scarf|working with wool|riding a horse|any|knit scarf""",
        "\n",
    )
)

# (as seen, a more general phrase, head noun)
PEOPLE = tuple(
    words(line, "|")
    for line in words(
        """a man|a person|man
a woman|a person|woman
an old man|a man|man
an old woman|a woman|woman
a young woman|a woman|woman
a young man|a man|man
a little boy|a boy|boy
a little girl|a girl|girl
a boy in a blue shirt|a boy|boy
a girl in a red coat|a girl|girl
a man with a grey beard|a man|man
a woman with a big hat|a woman|woman
a tall nurse|a nurse|nurse
a tired farmer|a farmer|farmer
a smiling student|a student|student
a soldier in uniform|a soldier|soldier
a teacher with glasses|a teacher|teacher
a cook in a white apron|a cook|cook
a man in a black suit|a man|man
a woman in green boots|a woman|woman
a child with curly hair|a child|child
a barefoot child|a child|child""",
        "\n",
    )
)
INDOORS = words(
    "in the kitchen,in a small flat,in a classroom,in a library,in a hotel room,in a cellar,in an "
    "office,in a museum,in a living room,in a workshop,in a hospital room,in an attic",
    ",",
)
OUTDOORS = words(
    "in a park,on a beach,in a garden,by a river,in a field,on a mountain path,in a meadow,by the road,at "
    "a lake,in a forest,on a village square,in an orchard",
    ",",
)
# Claims that a photograph cannot show.
UNKNOWABLE = words(
    "is on holiday,has two brothers,will go home soon,is thinking of an old friend,does this every "
    "day,was born in a village,is waiting for a phone call,has a birthday today,lives near here,learned "
    "this as a child,is doing this to win a bet,speaks three languages,has just moved house,wants to buy "
    "a piano,is called Robin",
    ",",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A person who does something in a place; `seen` implies `general`."""

    seen: str
    general: str
    noun: str
    action: Action
    place: str
    outdoors: bool

    @property
    def caption(self) -> str:
        """The scene as a sentence."""
        return sentence(f"{self.seen} is {self.action.doing} {self.place}")


def scene(row: SampleRow, purpose: str) -> Scene:
    """A scene whose place fits the action: nobody rides a bicycle in a library."""
    seen, general, noun = row.one(f"{purpose} who", PEOPLE)
    action = row.one(f"{purpose} action", ACTIONS)
    outdoors = action.where == "out" or (action.where == "any" and row.chance(f"{purpose} outdoors", 50))
    place = row.one(f"{purpose} place", OUTDOORS if outdoors else INDOORS)
    return Scene(seen, general, noun, action, place, outdoors)
