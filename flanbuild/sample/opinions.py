"""Words and sentences of praise and complaint, by topic. Data only."""

from flanbuild.sample.world import words

# Adjectives with a sentiment: (negative, positive).
QUALITIES = (
    words("dull,tedious,lifeless,clumsy,shallow,predictable,lazy,awful,boring,messy,flat,hollow,tiresome,sloppy,"
          "dreadful,forgettable,painful,pointless,stale,unbearable,joyless,bland,feeble,muddled,grating", ","),
    words("brilliant,charming,moving,witty,gripping,delightful,superb,warm,clever,lovely,dazzling,touching,honest,"
          "wonderful,fresh,graceful,hilarious,masterful,rich,stunning,tender,thrilling,inventive,joyful,splendid", ","),
)  # fmt: skip
# Sentences about {it}: (negative, positive); {q} is an adjective of the same sentiment.
VERDICTS = (
    ("I would not recommend {it} to anyone.", "What a waste of time.", "I want my money back.", "I was bored within minutes.", "It was {q} from start to end.", "I was so disappointed.", "Never again.", "Stay away from {it}.", "I regret every minute of it.", "It was one of the worst I know."),
    ("I would recommend {it} to everyone.", "It was worth every minute.", "I can't wait to come back to it.", "I smiled all the way through.", "It was {q} from start to end.", "I was so pleased.", "I loved it.", "Don't miss {it}.", "I enjoyed every minute of it.", "It was one of the best I know."),
)  # fmt: skip
MOVIE_PARTS = words(
    "acting,script,plot,dialogue,camera work,music,ending,direction,story,pacing,humour,cast,"
    "opening scene,lead role,editing,costume design,soundtrack,final act,love story,villain", ","
)  # fmt: skip
GENRES = words(
    "comedy,drama,thriller,western,romance,documentary,cartoon,horror film,musical,war film,spy film,road movie",
    ",",
)
PLACES = words(
    "restaurant,café,bakery,hotel,barber shop,dentist,garage,book shop,nail salon,gym,bar,pizza place,"
    "sushi place,pet shop,flower shop,steak house,noodle shop,museum", ","
)  # fmt: skip
PLACE_PARTS = words(
    "service,staff,price,waiting time,location,owner,atmosphere,parking,music,view,menu,toilet,coffee,"
    "website,reception,heating", ","
)  # fmt: skip
# Adjectives for a part of a place or its staff: (negative, positive).
PLACE_WORDS = (
    words("rude,slow,dirty,overpriced,terrible,careless,cold,horrible,noisy,disgusting,unfriendly,disappointing,poor,"
          "useless,chaotic,bad", ","),
    words("friendly,quick,spotless,fair,excellent,attentive,cosy,fantastic,pleasant,delicious,helpful,outstanding,great,"
          "perfect,welcoming,good", ","),
)  # fmt: skip
# Events in short messages: (negative, neutral, positive).
MOMENTS = (
    words("my phone fell into the sink,missed the bus again,the rain ruined our picnic,have to work all weekend,my tooth hurts so much,lost my favourite scarf,the match was cancelled,can't sleep at all,stuck in traffic for hours,my laptop crashed,got a cold,failed my driving test,the cake burnt,homesick today,my bike got stolen,the wifi is down again", ","),
    words("the train leaves at nine,reading the news,the shop opens at ten,on the way to the office,the meeting is on Tuesday,there are two exits,it is three o'clock,the new model comes out in May", ","),
    words("just passed my exam,the sun is out at last,my sister had a baby,got the job,best concert ever,finally on holiday,my team won the cup,found my lost cat,free coffee today,the garden is in bloom,dinner with old friends,a letter from my best friend,slept ten hours,the cake turned out great,seeing my family tomorrow,new shoes and they fit", ","),
)  # fmt: skip
MOODS = (
    ("so sad", "I hate this", "ugh", "not happy", "this is the worst", "I could cry", "so annoyed", "why me", "sigh"),
    ("ok", "fyi", "for the record", "as planned", "so it says"),
    ("so happy", "I love this", "yay", "feeling great", "this is the best", "I could dance", "so excited", "woohoo", "what a day"),
)  # fmt: skip
FACES = ((":(", ":-(", "D:", ""), ("", "."), (":)", ":-D", "<3", ""))
