"""Winograd schemas: sentences with an ambiguous pronoun, each in two versions with different answers. Data only.

`{A}` and `{b}` are the candidates, `{x}` is the pronoun. With a `{w}` of the first list the pronoun means A, with
one of the second list it means b.
"""

# pattern, ({w} for which the pronoun means A), ({w} for which it means b), pairs of things
OF_THINGS = (
    ("{A} did not fit into {b} because {x} was too {w}.", ("big", "long", "wide"), ("small", "short", "narrow"),
     (("the cake", "the tin"), ("the sofa", "the van"), ("the ladder", "the shed"), ("the cello", "the cupboard"), ("the tent", "the bag"), ("the picture", "the frame"))),
    ("somebody poured the water from {a} into {b} until {x} was {w}.", ("empty", "almost dry"), ("full", "brimming"),
     (("the jug", "the bowl"), ("the bucket", "the barrel"), ("the bottle", "the vase"), ("the kettle", "the pot"))),
    ("{A} was hidden behind {b} because {x} was so {w}.", ("small", "low", "tiny"), ("tall", "large", "huge"),
     (("the bicycle", "the lorry"), ("the hut", "the hedge"), ("the mouse", "the cupboard"), ("the car", "the billboard"))),
    ("{A} was put on {b}, but soon {x} {w}.", ("slid off", "rolled to the edge", "fell down from it"), ("gave way under the weight", "sagged in the middle", "cracked under the load"),
     (("the piano", "the platform"), ("the barrel", "the shelf"), ("the stone", "the table"), ("the statue", "the stand"))),
    ("they replaced {a} with {b} because {x} was {w}.", ("worn out", "broken", "too old"), ("brand new", "more modern", "better made"),
     (("the lamp", "the lantern"), ("the lift", "the staircase"), ("the gate", "the door"), ("the clock", "the watch"))),
    ("{A} was faster than {b}, so {x} arrived {w}.", ("first", "earlier", "ahead of the other"), ("last", "later", "after the other"),
     (("the train", "the bus"), ("the horse", "the donkey"), ("the motorbike", "the tractor"), ("the falcon", "the pigeon"))),
    ("{A} cost more than {b} because {x} was {w}.", ("made of gold", "very rare", "hand made"), ("made of plastic", "very common", "made in millions"),
     (("the ring", "the bracelet"), ("the carpet", "the mat"), ("the violin", "the recorder"), ("the vase", "the mug"))),
    ("{A} drowned out {b} because {x} was so {w}.", ("loud", "noisy"), ("soft", "quiet"),
     (("the drum", "the flute"), ("the siren", "the radio"), ("the trumpet", "the harp"), ("the storm", "the bell"))),
    ("{A} chased {b} because {x} was {w}.", ("hungry", "out hunting"), ("running away with the food", "trying to escape"),
     (("the fox", "the hen"), ("the cat", "the mouse"), ("the dog", "the rabbit"), ("the wolf", "the lamb"))),
    ("{A} was heavier than {b}, so {x} was {w} to carry.", ("harder", "more tiring"), ("easier", "less tiring"),
     (("the suitcase", "the basket"), ("the anvil", "the hammer"), ("the armchair", "the stool"), ("the trunk", "the box"))),
    ("somebody rubbed {a} with {b} until {x} was {w}.", ("shining clean", "free of dust"), ("dirty all over", "full of dust"),
     (("the window", "the cloth"), ("the mirror", "the rag"), ("the table", "the sponge"), ("the boot", "the brush"))),
    ("{A} melted on {b} because {x} was so {w}.", ("cold and icy", "frozen"), ("hot", "well heated"),
     (("the snowball", "the stove"), ("the icicle", "the radiator"), ("the sorbet", "the hotplate"))),
)  # fmt: skip
# pattern, ways that speak of A, ways that speak of b; both are people
OF_PEOPLE = (
    ("{A} thanked {b} because {x} had {w}.", ("received help", "been given a lift"), ("given help", "been so helpful")),
    ("{A} could not carry {b} because {x} was too {w}.", ("weak", "tired", "feeble"), ("heavy", "big")),
    ("{A} paid {b} after {x} had {w}.", ("received the goods", "been sent the bill"), ("delivered the goods", "sent the bill")),
    ("{A} asked {b} for directions because {x} {w}.", ("was lost", "was a stranger in the town"), ("knew the way", "lived in the town")),
    ("{A} lost to {b} at chess because {x} played {w}.", ("badly", "without care"), ("well", "brilliantly")),
    ("{A} envied {b} because {x} had {w}.", ("failed the exam", "won nothing"), ("passed the exam", "won the prize")),
    ("{A} lent {b} some money because {x} was {w}.", ("rich", "generous"), ("poor", "short of cash")),
    ("{A} knocked at {b}'s door, but {x} did not {w}.", ("get an answer", "hear anybody inside"), ("open it", "answer it")),
    ("{A} gave {b} lessons because {x} knew {w}.", ("a great deal", "the subject well"), ("very little", "nothing of the subject")),
    ("{A} carried {b} home because {x} was {w}.", ("strong", "the stronger one"), ("hurt", "unable to walk")),
    ("{A} took {b}'s advice, and {x} was glad to have {w}.", ("listened", "asked"), ("helped", "been asked")),
    ("{A} apologised to {b} because {x} had been {w}.", ("rude", "the one at fault"), ("insulted", "wronged")),
    ("{A} bought a present for {b} because {x} had {w}.", ("saved some money", "seen it in a shop"), ("a birthday", "just got married")),
    ("{A} visited {b} in hospital because {x} was {w}.", ("worried", "a caring friend"), ("ill", "recovering there")),
    ("{A} hid from {b} because {x} was so {w}.", ("scared", "frightened"), ("scary", "frightening")),
    ("{A} sold the car to {b} because {x} {w}.", ("no longer needed it", "wanted to get rid of it"), ("was looking for one", "wanted to own it")),
    ("{A} borrowed an umbrella from {b} because {x} had {w}.", ("none", "forgotten to bring one"), ("two", "one to spare")),
    ("{A} hired {b} because {x} {w}.", ("needed a worker", "had a job to offer"), ("needed work", "was good at the job")),
    ("{A} waved to {b}, but {x} {w}.", ("got no wave back", "was not noticed"), ("did not wave back", "did not notice")),
    ("{A} beat {b} in the race because {x} ran {w}.", ("so fast", "without a break"), ("so slowly", "with a sore foot")),
)  # fmt: skip
