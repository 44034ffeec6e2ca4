"""Words with two senses, and sentences for each sense; `{n}` is a name, `{d}` a day. Data only."""

from flanbuild.sample.world import words

SENSES = tuple(
    (word, tuple(words(first, "|")), tuple(words(second, "|")))
    for word, first, second in (
        ("bank", "{n} put the money into the bank.|The bank closes at noon on {d}.|The bank gave {n} a loan.", "They had a picnic on the bank of the river.|The boat lay on the grassy bank.|{n} fished from the bank on {d}."),
        ("bat", "A bat flew out of the cave on {d}.|The bat sleeps hanging from the roof.|{n} saw a bat in the dark barn.", "{n} hit the ball with a bat.|The player broke the bat on {d}.|A wooden bat lay beside the gloves."),
        ("spring", "The tulips open in spring.|{n} was born in the spring.|Spring begins in March.", "The spring in the old sofa squeaked.|{n} oiled the spring of the lock.|A steel spring jumped out of the clock on {d}."),
        ("match", "{n} lit the fire with a match.|A match burned on the floor.|There was one match left in the box on {d}.", "The match ended with two goals.|{n} watched the match on {d}.|Our team lost the match in the rain."),
        ("bark", "The bark of the oak is rough.|{n} carved a name into the bark.|Beetles live under the bark of that pine.", "The bark of the dog woke {n}.|We heard a loud bark on {d}.|One short bark came from the kennel."),
        ("ring", "{n} wore a gold ring.|The ring has a blue stone.|She lost the ring on {d}.", "The ring of the telephone woke {n}.|There was a loud ring at the door on {d}.|With the first ring {n} took the call."),
        ("nail", "{n} hit the nail with a hammer.|The picture hangs on a nail.|A rusty nail stuck in the plank.", "{n} painted every nail on the left hand.|The nail of the big toe was broken.|She bit a nail while she waited on {d}."),
        ("mouse", "The cat caught a mouse on {d}.|A mouse ate the cheese in the cellar.|{n} heard a mouse behind the wall.", "Click the left button of the mouse.|{n} bought a mouse for the computer.|The wireless mouse needs a battery."),
        ("crane", "A crane lifted the steel beam.|{n} drove the crane at the harbour.|On {d} the crane moved forty containers.", "A crane stood in the marsh on one leg.|The crane flew south with its flock.|{n} photographed a crane at its nest on {d}."),
        ("trunk", "The elephant raised its trunk.|With its trunk it took the apple from {n}.|The calf drinks through its trunk.", "{n} leaned against the trunk of the oak.|The trunk of the tree was hollow.|A woodpecker worked at the trunk on {d}."),
        ("letter", "{n} posted a letter on {d}.|The letter came without a stamp.|She read the letter from her aunt twice.", "The first letter of the alphabet is A.|{n} cannot say the letter R.|Write every letter in capitals."),
        ("light", "{n} switched on the light.|The light of the candle was weak.|A bright light shone from the tower on {d}.", "The box was light enough for {n}.|A light coat is all you need on {d}.|The basket felt light without the apples."),
        ("head", "{n} put both hands on the head of the child.|A hat kept the head of {n} warm.|She shook her head and left.", "The head of the school spoke on {d}.|{n} became head of the firm.|Ask the head of the department."),
        ("palm", "A palm grew on the beach.|{n} sat under a tall palm.|The storm bent the palm on {d}.", "{n} held the coin in the palm of the hand.|The palm of her hand was wet.|He read the lines of my palm on {d}."),
        ("seal", "A seal lay on the ice.|The seal dived after a herring.|{n} fed the seal at the zoo on {d}.", "{n} broke the seal of the letter.|The king's seal was pressed into red wax.|The document of {d} bears an official seal."),
        ("bow", "{n} shot an arrow from the bow.|The archer drew the bow on {d}.|His bow was made of yew.", "{n} made a deep bow to the audience.|After the song she took a bow.|With a polite bow he left on {d}."),
        ("date", "{n} ate a sweet date from the palm.|The cake has a date in the middle.|A dried date lay on the plate on {d}.", "{n} wrote the date on the letter.|What date is it on {d}?|The date of the wedding was moved."),
        ("note", "{n} sang a high note.|The last note of the song faded.|On {d} the flute missed one note.", "{n} left a note on the kitchen table.|A short note said that {d} was free.|She wrote a note to the teacher."),
        ("file", "{n} smoothed the edge with a file.|The file scraped over the iron bar.|A rough file lay in the tool box on {d}.", "{n} saved the file on the computer.|The file is too large for an email.|On {d} somebody deleted the file."),
        ("bill", "{n} paid the bill at the restaurant.|The bill for the repairs came on {d}.|The electricity bill was high.", "The duck has a yellow bill.|The bird took the worm in its bill.|{n} drew a swan with a red bill on {d}."),
    )
)  # fmt: skip
