"""Parallel word lists and sentence frames in ten languages, for translations. Data, and a function that fills a frame.

Entry i of a list means the same in every language. The lists avoid inflection or contain the inflected forms: nouns
with their object form, adjectives by gender, places as whole phrases, verbs in the present tense.
"""

from flanbuild.sample.world import words


def _list(text: str) -> tuple[str, ...]:
    return words(text, ",")


SUBJECTS = {
    "en": _list("the teacher,the doctor,the child,the farmer,the girl,the boy,the man,the woman,the neighbour,the student,the queen,the king,the writer,the baker,the driver,my brother,my sister,my friend,our uncle,the grandmother,the guest,the cook"),
    "de": _list("der Lehrer,die Ärztin,das Kind,der Bauer,das Mädchen,der Junge,der Mann,die Frau,der Nachbar,der Student,die Königin,der König,der Schriftsteller,der Bäcker,der Fahrer,mein Bruder,meine Schwester,mein Freund,unser Onkel,die Großmutter,der Gast,der Koch"),
    "fr": _list("le professeur,le médecin,l'enfant,le fermier,la fille,le garçon,l'homme,la femme,le voisin,l'étudiant,la reine,le roi,l'écrivain,le boulanger,le chauffeur,mon frère,ma sœur,mon ami,notre oncle,la grand-mère,l'invité,le cuisinier"),
    "es": _list("el profesor,el médico,el niño,el granjero,la chica,el chico,el hombre,la mujer,el vecino,el estudiante,la reina,el rey,el escritor,el panadero,el conductor,mi hermano,mi hermana,mi amigo,nuestro tío,la abuela,el invitado,el cocinero"),
    "cs": _list("učitel,lékař,dítě,farmář,dívka,chlapec,muž,žena,soused,student,královna,král,spisovatel,pekař,řidič,můj bratr,moje sestra,můj přítel,náš strýc,babička,host,kuchař"),
    "fi": _list("opettaja,lääkäri,lapsi,maanviljelijä,tyttö,poika,mies,nainen,naapuri,opiskelija,kuningatar,kuningas,kirjailija,leipuri,kuljettaja,veljeni,siskoni,ystäväni,setämme,isoäiti,vieras,kokki"),
    "ro": _list("profesorul,medicul,copilul,fermierul,fata,băiatul,bărbatul,femeia,vecinul,studentul,regina,regele,scriitorul,brutarul,șoferul,fratele meu,sora mea,prietenul meu,unchiul nostru,bunica,oaspetele,bucătarul"),
    "ru": _list("учитель,врач,ребёнок,фермер,девочка,мальчик,мужчина,женщина,сосед,студент,королева,король,писатель,пекарь,водитель,мой брат,моя сестра,мой друг,наш дядя,бабушка,гость,повар"),
    "tr": _list("öğretmen,doktor,çocuk,çiftçi,kız,oğlan,adam,kadın,komşu,öğrenci,kraliçe,kral,yazar,fırıncı,şoför,erkek kardeşim,kız kardeşim,arkadaşım,amcamız,büyükanne,misafir,aşçı"),
    "da": _list("læreren,lægen,barnet,landmanden,pigen,drengen,manden,kvinden,naboen,den studerende,dronningen,kongen,forfatteren,bageren,chaufføren,min bror,min søster,min ven,vores onkel,bedstemoren,gæsten,kokken"),
}  # fmt: skip

OBJECTS = {
    "en": _list("the book,the letter,the key,the lamp,the table,the chair,the picture,the map,the ticket,the bread,the apple,the cake,the coat,the hat,the bicycle,the car,the cup,the knife,the ring,the ball,the flower,the box,the bag,the bottle,the mirror,the guitar"),
    "de": _list("das Buch,der Brief,der Schlüssel,die Lampe,der Tisch,der Stuhl,das Bild,die Karte,die Fahrkarte,das Brot,der Apfel,der Kuchen,der Mantel,der Hut,das Fahrrad,das Auto,die Tasse,das Messer,der Ring,der Ball,die Blume,die Kiste,die Tasche,die Flasche,der Spiegel,die Gitarre"),
    "fr": _list("le livre,la lettre,la clé,la lampe,la table,la chaise,le tableau,la carte,le billet,le pain,la pomme,le gâteau,le manteau,le chapeau,le vélo,la voiture,la tasse,le couteau,la bague,le ballon,la fleur,la boîte,le sac,la bouteille,le miroir,la guitare"),
    "es": _list("el libro,la carta,la llave,la lámpara,la mesa,la silla,el cuadro,el mapa,el billete,el pan,la manzana,el pastel,el abrigo,el sombrero,la bicicleta,el coche,la taza,el cuchillo,el anillo,la pelota,la flor,la caja,el bolso,la botella,el espejo,la guitarra"),
    "cs": _list("kniha,dopis,klíč,lampa,stůl,židle,obraz,mapa,jízdenka,chléb,jablko,dort,kabát,klobouk,kolo,auto,šálek,nůž,prsten,míč,květina,krabice,taška,láhev,zrcadlo,kytara"),
    "fi": _list("kirja,kirje,avain,lamppu,pöytä,tuoli,taulu,kartta,lippu,leipä,omena,kakku,takki,hattu,polkupyörä,auto,kuppi,veitsi,sormus,pallo,kukka,laatikko,laukku,pullo,peili,kitara"),
    "ro": _list("cartea,scrisoarea,cheia,lampa,masa,scaunul,tabloul,harta,biletul,pâinea,mărul,tortul,paltonul,pălăria,bicicleta,mașina,ceașca,cuțitul,inelul,mingea,floarea,cutia,geanta,sticla,oglinda,chitara"),
    "ru": _list("книга,письмо,ключ,лампа,стол,стул,картина,карта,билет,хлеб,яблоко,торт,пальто,шляпа,велосипед,машина,чашка,нож,кольцо,мяч,цветок,коробка,сумка,бутылка,зеркало,гитара"),
    "tr": _list("kitap,mektup,anahtar,lamba,masa,sandalye,tablo,harita,bilet,ekmek,elma,pasta,palto,şapka,bisiklet,araba,fincan,bıçak,yüzük,top,çiçek,kutu,çanta,şişe,ayna,gitar"),
    "da": _list("bogen,brevet,nøglen,lampen,bordet,stolen,billedet,kortet,billetten,brødet,æblet,kagen,frakken,hatten,cyklen,bilen,koppen,kniven,ringen,bolden,blomsten,kassen,tasken,flasken,spejlet,guitaren"),
}  # fmt: skip
# The same nouns as what is bought or seen, where that differs.
ACCUSATIVES = {
    **OBJECTS,
    "de": tuple(noun.replace("der ", "den ") for noun in OBJECTS["de"]),
    "cs": _list("knihu,dopis,klíč,lampu,stůl,židli,obraz,mapu,jízdenku,chléb,jablko,dort,kabát,klobouk,kolo,auto,šálek,nůž,prsten,míč,květinu,krabici,tašku,láhev,zrcadlo,kytaru"),
    "fi": _list("kirjan,kirjeen,avaimen,lampun,pöydän,tuolin,taulun,kartan,lipun,leivän,omenan,kakun,takin,hatun,polkupyörän,auton,kupin,veitsen,sormuksen,pallon,kukan,laatikon,laukun,pullon,peilin,kitaran"),
    "ru": _list("книгу,письмо,ключ,лампу,стол,стул,картину,карту,билет,хлеб,яблоко,торт,пальто,шляпу,велосипед,машину,чашку,нож,кольцо,мяч,цветок,коробку,сумку,бутылку,зеркало,гитару"),
    "tr": _list("kitabı,mektubu,anahtarı,lambayı,masayı,sandalyeyi,tabloyu,haritayı,bileti,ekmeği,elmayı,pastayı,paltoyu,şapkayı,bisikleti,arabayı,fincanı,bıçağı,yüzüğü,topu,çiçeği,kutuyu,çantayı,şişeyi,aynayı,gitarı"),
}  # fmt: skip
# Finnish verbs of unfinished action take the partitive.
PARTITIVES = _list("kirjaa,kirjettä,avainta,lamppua,pöytää,tuolia,taulua,karttaa,lippua,leipää,omenaa,kakkua,takkia,hattua,polkupyörää,autoa,kuppia,veistä,sormusta,palloa,kukkaa,laatikkoa,laukkua,pulloa,peiliä,kitaraa")  # fmt: skip
# Gender of each noun as the adjectives below count it.
GENDERS = {
    "fr": tuple(int(noun.startswith("la ")) for noun in OBJECTS["fr"]),
    "es": tuple(int(noun.startswith("la ")) for noun in OBJECTS["es"]),
    "cs": tuple(
        "mfn".index(letter) for letter in words("f m m f m f m f f m n m m m n n m m m m f f f f n f")
    ),
    "ro": tuple(
        "mf".index(letter) for letter in words("f f f f f m m f m f m m m f f f f m m f f f f f f f")
    ),
    "ru": tuple(
        "mfn".index(letter) for letter in words("f n m f m m f f m m n m n f m f f m n m m f f f n f")
    ),
    "da": tuple(
        "cn".index(letter) for letter in words("c n c c n c n n c n n c c c c c c c c c c c c c n c")
    ),
}

# Forms by gender, split by a slash, where there are several.
ADJECTIVES = {
    "en": _list("new,old,big,small,beautiful,cheap,expensive,red,white,black,heavy,light"),
    "de": _list("neu,alt,groß,klein,schön,billig,teuer,rot,weiß,schwarz,schwer,leicht"),
    "fr": _list("neuf/neuve,vieux/vieille,grand/grande,petit/petite,beau/belle,bon marché,cher/chère,rouge,blanc/blanche,noir/noire,lourd/lourde,léger/légère"),
    "es": _list("nuevo/nueva,viejo/vieja,grande,pequeño/pequeña,bonito/bonita,barato/barata,caro/cara,rojo/roja,blanco/blanca,negro/negra,pesado/pesada,ligero/ligera"),
    "cs": _list("nový/nová/nové,starý/stará/staré,velký/velká/velké,malý/malá/malé,krásný/krásná/krásné,levný/levná/levné,drahý/drahá/drahé,červený/červená/červené,bílý/bílá/bílé,černý/černá/černé,těžký/těžká/těžké,lehký/lehká/lehké"),
    "fi": _list("uusi,vanha,suuri,pieni,kaunis,halpa,kallis,punainen,valkoinen,musta,painava,kevyt"),
    "ro": _list("nou/nouă,vechi/veche,mare,mic/mică,frumos/frumoasă,ieftin/ieftină,scump/scumpă,roșu/roșie,alb/albă,negru/neagră,greu/grea,ușor/ușoară"),
    "ru": _list("новый/новая/новое,старый/старая/старое,большой/большая/большое,маленький/маленькая/маленькое,красивый/красивая/красивое,дешёвый/дешёвая/дешёвое,дорогой/дорогая/дорогое,красный/красная/красное,белый/белая/белое,чёрный/чёрная/чёрное,тяжёлый/тяжёлая/тяжёлое,лёгкий/лёгкая/лёгкое"),
    "tr": _list("yeni,eski,büyük,küçük,güzel,ucuz,pahalı,kırmızı,beyaz,siyah,ağır,hafif"),
    "da": _list("ny/nyt,gammel/gammelt,stor/stort,lille,smuk/smukt,billig/billigt,dyr/dyrt,rød/rødt,hvid/hvidt,sort,tung/tungt,let"),
}  # fmt: skip

VERBS = {
    "en": _list("buys,sells,sees,finds,looks for,carries,brings,forgets,loses,takes,shows,hides,cleans"),
    "de": _list("kauft,verkauft,sieht,findet,sucht,trägt,bringt,vergisst,verliert,nimmt,zeigt,versteckt,putzt"),
    "fr": _list("achète,vend,voit,trouve,cherche,porte,apporte,oublie,perd,prend,montre,cache,nettoie"),
    "es": _list("compra,vende,ve,encuentra,busca,lleva,trae,olvida,pierde,toma,muestra,esconde,limpia"),
    "cs": _list("kupuje,prodává,vidí,nachází,hledá,nese,přináší,zapomíná,ztrácí,bere,ukazuje,schovává,čistí"),
    "fi": _list("ostaa,myy,näkee,löytää,etsii,kantaa,tuo,unohtaa,kadottaa,ottaa,näyttää,piilottaa,puhdistaa"),
    "ro": _list("cumpără,vinde,vede,găsește,caută,duce,aduce,uită,pierde,ia,arată,ascunde,curăță"),
    "ru": _list("покупает,продаёт,видит,находит,ищет,несёт,приносит,забывает,теряет,берёт,показывает,прячет,чистит"),
    "tr": _list("satın alıyor,satıyor,görüyor,buluyor,arıyor,taşıyor,getiriyor,unutuyor,kaybediyor,alıyor,gösteriyor,saklıyor,temizliyor"),
    "da": _list("køber,sælger,ser,finder,leder efter,bærer,bringer,glemmer,mister,tager,viser,gemmer,rengør"),
}  # fmt: skip
UNFINISHED = (4, 5)  # places in VERBS

DOINGS = {
    "en": _list("sleeps,sings,waits,works,reads,dances,cooks,writes,talks"),
    "de": _list("schläft,singt,wartet,arbeitet,liest,tanzt,kocht,schreibt,spricht"),
    "fr": _list("dort,chante,attend,travaille,lit,danse,cuisine,écrit,parle"),
    "es": _list("duerme,canta,espera,trabaja,lee,baila,cocina,escribe,habla"),
    "cs": _list("spí,zpívá,čeká,pracuje,čte,tančí,vaří,píše,mluví"),
    "fi": _list("nukkuu,laulaa,odottaa,työskentelee,lukee,tanssii,laittaa ruokaa,kirjoittaa,puhuu"),
    "ro": _list("doarme,cântă,așteaptă,lucrează,citește,dansează,gătește,scrie,vorbește"),
    "ru": _list("спит,поёт,ждёт,работает,читает,танцует,готовит,пишет,говорит"),
    "tr": _list(
        "uyuyor,şarkı söylüyor,bekliyor,çalışıyor,okuyor,dans ediyor,yemek yapıyor,yazıyor,konuşuyor"
    ),
    "da": _list("sover,synger,venter,arbejder,læser,danser,laver mad,skriver,taler"),
}

PLACES = {
    "en": _list("in the garden,at the market,at school,in the kitchen,at the station,in the park,in the city,at the museum,at home,at the library,in the shop,on the beach,in the forest,at the hotel,in Paris,in London,in Berlin,in Rome,in Vienna,in Prague,in Warsaw,in Athens,in Lisbon,in Madrid,in Copenhagen,in Moscow,in Istanbul,in Bucharest,in Helsinki"),
    "de": _list("im Garten,auf dem Markt,in der Schule,in der Küche,am Bahnhof,im Park,in der Stadt,im Museum,zu Hause,in der Bibliothek,im Geschäft,am Strand,im Wald,im Hotel,in Paris,in London,in Berlin,in Rom,in Wien,in Prag,in Warschau,in Athen,in Lissabon,in Madrid,in Kopenhagen,in Moskau,in Istanbul,in Bukarest,in Helsinki"),
    "fr": _list("dans le jardin,au marché,à l'école,dans la cuisine,à la gare,dans le parc,en ville,au musée,à la maison,à la bibliothèque,dans le magasin,à la plage,dans la forêt,à l'hôtel,à Paris,à Londres,à Berlin,à Rome,à Vienne,à Prague,à Varsovie,à Athènes,à Lisbonne,à Madrid,à Copenhague,à Moscou,à Istanbul,à Bucarest,à Helsinki"),
    "es": _list("en el jardín,en el mercado,en la escuela,en la cocina,en la estación,en el parque,en la ciudad,en el museo,en casa,en la biblioteca,en la tienda,en la playa,en el bosque,en el hotel,en París,en Londres,en Berlín,en Roma,en Viena,en Praga,en Varsovia,en Atenas,en Lisboa,en Madrid,en Copenhague,en Moscú,en Estambul,en Bucarest,en Helsinki"),
    "cs": _list("na zahradě,na trhu,ve škole,v kuchyni,na nádraží,v parku,ve městě,v muzeu,doma,v knihovně,v obchodě,na pláži,v lese,v hotelu,v Paříži,v Londýně,v Berlíně,v Římě,ve Vídni,v Praze,ve Varšavě,v Athénách,v Lisabonu,v Madridu,v Kodani,v Moskvě,v Istanbulu,v Bukurešti,v Helsinkách"),
    "fi": _list("puutarhassa,torilla,koulussa,keittiössä,asemalla,puistossa,kaupungissa,museossa,kotona,kirjastossa,kaupassa,rannalla,metsässä,hotellissa,Pariisissa,Lontoossa,Berliinissä,Roomassa,Wienissä,Prahassa,Varsovassa,Ateenassa,Lissabonissa,Madridissa,Kööpenhaminassa,Moskovassa,Istanbulissa,Bukarestissa,Helsingissä"),
    "ro": _list("în grădină,la piață,la școală,în bucătărie,la gară,în parc,în oraș,la muzeu,acasă,la bibliotecă,în magazin,pe plajă,în pădure,la hotel,la Paris,la Londra,la Berlin,la Roma,la Viena,la Praga,la Varșovia,la Atena,la Lisabona,la Madrid,la Copenhaga,la Moscova,la Istanbul,la București,la Helsinki"),
    "ru": _list("в саду,на рынке,в школе,на кухне,на вокзале,в парке,в городе,в музее,дома,в библиотеке,в магазине,на пляже,в лесу,в гостинице,в Париже,в Лондоне,в Берлине,в Риме,в Вене,в Праге,в Варшаве,в Афинах,в Лиссабоне,в Мадриде,в Копенгагене,в Москве,в Стамбуле,в Бухаресте,в Хельсинки"),
    "tr": _list("bahçede,pazarda,okulda,mutfakta,istasyonda,parkta,şehirde,müzede,evde,kütüphanede,dükkânda,sahilde,ormanda,otelde,Paris'te,Londra'da,Berlin'de,Roma'da,Viyana'da,Prag'da,Varşova'da,Atina'da,Lizbon'da,Madrid'de,Kopenhag'da,Moskova'da,İstanbul'da,Bükreş'te,Helsinki'de"),
    "da": _list("i haven,på markedet,i skolen,i køkkenet,på stationen,i parken,i byen,på museet,hjemme,på biblioteket,i butikken,på stranden,i skoven,på hotellet,i Paris,i London,i Berlin,i Rom,i Wien,i Prag,i Warszawa,i Athen,i Lissabon,i Madrid,i København,i Moskva,i Istanbul,i Bukarest,i Helsinki"),
}  # fmt: skip

TIMES = {
    "en": _list("today,now,every day,in the morning,in the evening,on Monday,on Friday,in summer,in winter"),
    "de": _list("heute,jetzt,jeden Tag,am Morgen,am Abend,am Montag,am Freitag,im Sommer,im Winter"),
    "fr": _list("aujourd'hui,maintenant,chaque jour,le matin,le soir,lundi,vendredi,en été,en hiver"),
    "es": _list("hoy,ahora,cada día,por la mañana,por la noche,el lunes,el viernes,en verano,en invierno"),
    "cs": _list("dnes,teď,každý den,ráno,večer,v pondělí,v pátek,v létě,v zimě"),
    "fi": _list("tänään,nyt,joka päivä,aamulla,illalla,maanantaina,perjantaina,kesällä,talvella"),
    "ro": _list("astăzi,acum,în fiecare zi,dimineața,seara,luni,vineri,vara,iarna"),
    "ru": _list("сегодня,сейчас,каждый день,утром,вечером,в понедельник,в пятницу,летом,зимой"),
    "tr": _list("bugün,şimdi,her gün,sabahleyin,akşamleyin,pazartesi günü,cuma günü,yazın,kışın"),
    "da": _list("i dag,nu,hver dag,om morgenen,om aftenen,på mandag,på fredag,om sommeren,om vinteren"),
}

SAYINGS = {
    "en": _list("knows that,says that,believes that"),
    "de": ("weiß, dass", "sagt, dass", "glaubt, dass"),
    "fr": _list("sait que,dit que,croit que"),
    "es": _list("sabe que,dice que,cree que"),
    "cs": ("ví, že", "říká, že", "věří, že"),
    "fi": ("tietää, että", "sanoo, että", "uskoo, että"),
    "ro": _list("știe că,spune că,crede că"),
    "ru": ("знает, что", "говорит, что", "верит, что"),
    "tr": _list("biliyor ki,diyor ki,inanıyor ki"),
    "da": ("ved, at", "siger, at", "tror, at"),
}

# s subject, v verb, o object, t time, d doing, p place, n noun, a adjective, k says that, c count of euros
FRAMES = {
    "en": ("{s} {v} {o} {t}", "{s} {d} {p} {t}", "{n} is {a}", "{n} is not {a}", "{s} {k} {n} is {a}", "{n} costs {c} euros", "{s} lives {p}"),
    "de": ("{s} {v} {t} {o}", "{s} {d} {t} {p}", "{n} ist {a}", "{n} ist nicht {a}", "{s} {k} {n} {a} ist", "{n} kostet {c} Euro", "{s} wohnt {p}"),
    "fr": ("{s} {v} {o} {t}", "{s} {d} {p} {t}", "{n} est {a}", "{n} n'est pas {a}", "{s} {k} {n} est {a}", "{n} coûte {c} euros", "{s} habite {p}"),
    "es": ("{s} {v} {o} {t}", "{s} {d} {p} {t}", "{n} es {a}", "{n} no es {a}", "{s} {k} {n} es {a}", "{n} cuesta {c} euros", "{s} vive {p}"),
    "cs": ("{s} {t} {v} {o}", "{s} {t} {d} {p}", "{n} je {a}", "{n} není {a}", "{s} {k} {n} je {a}", "{n} stojí {c} eur", "{s} bydlí {p}"),
    "fi": ("{s} {v} {t} {o}", "{s} {d} {t} {p}", "{n} on {a}", "{n} ei ole {a}", "{s} {k} {n} on {a}", "{n} maksaa {c} euroa", "{s} asuu {p}"),
    "ro": ("{s} {v} {t} {o}", "{s} {d} {t} {p}", "{n} este {a}", "{n} nu este {a}", "{s} {k} {n} este {a}", "{n} costă {c} euro", "{s} locuiește {p}"),
    "ru": ("{s} {t} {v} {o}", "{s} {t} {d} {p}", "{n} {a}", "{n} не {a}", "{s} {k} {n} {a}", "{n} стоит {c} евро", "{s} живёт {p}"),
    "tr": ("{s} {t} {o} {v}", "{s} {t} {p} {d}", "{n} {a}", "{n} {a} değil", "{s} {k} {n} {a}", "{n} {c} avro", "{s} {p} yaşıyor"),
    "da": ("{s} {v} {o} {t}", "{s} {d} {p} {t}", "{n} er {a}", "{n} er ikke {a}", "{s} {k} {n} er {a}", "{n} koster {c} euro", "{s} bor {p}"),
}  # fmt: skip
# and, but
JOINS = {
    "en": (", and ", ", but "), "de": (" und ", ", aber "), "fr": (" et ", ", mais "), "es": (" y ", ", pero "),
    "cs": (" a ", ", ale "), "fi": (" ja ", ", mutta "), "ro": (" și ", ", dar "), "ru": (" и ", ", но "),
    "tr": (" ve ", ", ama "), "da": (" og ", ", men "),
}  # fmt: skip


def clause(language: str, frame: int, indices: dict[str, int], euros: int) -> str:
    """The frame filled with words; `indices` maps a slot of the frame to an index in the word list of the slot."""
    noun, verb = indices["n"], indices["v"]
    unfinished = language == "fi" and verb in UNFINISHED
    count = f"{euros} de" if language == "ro" and not 1 <= euros % 100 <= 19 else str(euros)
    return FRAMES[language][frame].format(
        s=SUBJECTS[language][indices["s"]],
        v=VERBS[language][verb],
        o=PARTITIVES[noun] if unfinished else ACCUSATIVES[language][noun],
        t=TIMES[language][indices["t"]],
        d=DOINGS[language][indices["d"]],
        p=PLACES[language][indices["p"]],
        n=OBJECTS[language][noun],
        a=_agreeing(language, indices["a"], noun),
        k=SAYINGS[language][indices["k"]],
        c=count,
    )


def _agreeing(language: str, adjective: int, noun: int) -> str:
    forms = ADJECTIVES[language][adjective].split("/")
    return forms[0] if len(forms) == 1 else forms[GENDERS[language][noun]]
