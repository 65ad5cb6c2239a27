namespace Gradus.Training.Data.SmallWorld;

/// <summary>A person or an animal with a name. The name decides the pronouns everywhere.</summary>
internal sealed record Person(string Name, bool Female)
{
    public string He => Female ? "she" : "he";

    public string Him => Female ? "her" : "him";

    public string His => Female ? "her" : "his";
}

/// <summary>What a thing is good for; plots choose things by it so that nothing odd is said of them.</summary>
[Flags]
internal enum ThingTraits
{
    None = 0,

    /// <summary>It can break and be repaired.</summary>
    Hard = 1,

    /// <summary>One has to learn how to use it.</summary>
    Practice = 2,

    /// <summary>It can get an animal out of trouble.</summary>
    Handy = 4,

    /// <summary>Two can sit under it in the rain.</summary>
    Shelter = 8,
}

/// <summary>A thing, with the verb of "to … it" and its past tense.</summary>
internal sealed record Thing(string Noun, string Use, string Used, ThingTraits Traits = ThingTraits.None);

/// <summary>What can be done at a place.</summary>
[Flags]
internal enum PlaceTraits
{
    None = 0,

    /// <summary>Under the sky.</summary>
    Outdoor = 1,

    /// <summary>A party, a concert or a show can be held there.</summary>
    Venue = 2,

    /// <summary>Worth a trip.</summary>
    Sight = 4,

    /// <summary>Sells food.</summary>
    Food = 8,

    /// <summary>Easy to find, so people meet there.</summary>
    Meeting = 16,
}

/// <summary>A place that takes "at the" and "to the".</summary>
internal sealed record Place(string Name, PlaceTraits Traits)
{
    public bool Has(PlaceTraits traits) => (Traits & traits) == traits;
}

/// <summary>A fact with the sentence that explains it in a dialogue.</summary>
internal sealed record Reason(string Name, string Line);

/// <summary>Something one can be taught, with its -ing form and the places where it is done.</summary>
internal sealed record Skill(string Verb, string Gerund, string[] Places);

/// <summary>
/// The words that facts are made of: one closed pool a kind, shared by stories and dialogues, so that what a summary must copy
/// has been seen often. Mostly short common words, each likely to be a single token of a small vocabulary.
/// </summary>
internal static class WordPools
{
    private const PlaceTraits Outdoor = PlaceTraits.Outdoor;
    private const PlaceTraits Venue = PlaceTraits.Venue;
    private const PlaceTraits Sight = PlaceTraits.Sight;
    private const PlaceTraits Food = PlaceTraits.Food;
    private const PlaceTraits Meeting = PlaceTraits.Meeting;

    public static readonly Person[] People =
    [
        .. Named(true, "Anna Lily Mia Emma Sara Nina Lucy Ella Rosa Clara Maya Zoe Ivy Kate Nora Ruth"),
        .. Named(false, "Ben Tom Max Sam Leo Jack Finn Tim Paul Noah Luke Omar Hugo Adam Carl Oscar"),
    ];

    public static readonly Person[] Kin =
    [
        .. Named(true, "mother sister aunt grandmother"),
        .. Named(false, "father brother uncle grandfather"),
    ];

    public static readonly string[] Colors = Words("red blue green yellow white black brown purple orange pink");

    public static readonly Thing[] Things =
    [
        new("kite", "fly", "flew", ThingTraits.Hard | ThingTraits.Practice),
        new("bike", "ride", "rode", ThingTraits.Hard | ThingTraits.Practice),
        new("drum", "play", "played", ThingTraits.Hard | ThingTraits.Practice),
        new("guitar", "play", "played", ThingTraits.Hard | ThingTraits.Practice),
        new("flute", "play", "played", ThingTraits.Hard | ThingTraits.Practice),
        new("trumpet", "play", "played", ThingTraits.Hard | ThingTraits.Practice),
        new("camera", "take pictures with", "took pictures with", ThingTraits.Hard | ThingTraits.Practice),
        new("boat", "sail", "sailed", ThingTraits.Hard | ThingTraits.Practice),
        new("robot", "play with", "played with", ThingTraits.Hard),
        new("doll", "play with", "played with", ThingTraits.Hard),
        new("bell", "ring", "rang", ThingTraits.Hard),
        new("cup", "drink from", "drank from", ThingTraits.Hard),
        new("whistle", "play with", "played with", ThingTraits.Hard),
        new("watch", "wear", "wore", ThingTraits.Hard),
        new("mirror", "look into", "looked into", ThingTraits.Hard),
        new("lamp", "light", "lit", ThingTraits.Hard | ThingTraits.Handy),
        new("box", "play with", "played with", ThingTraits.Hard | ThingTraits.Handy),
        new("wagon", "pull", "pulled", ThingTraits.Hard | ThingTraits.Handy),
        new("basket", "carry", "carried", ThingTraits.Hard | ThingTraits.Handy),
        new("umbrella", "play with", "played with", ThingTraits.Hard | ThingTraits.Handy | ThingTraits.Shelter),
        new("rope", "jump with", "jumped with", ThingTraits.Handy),
        new("bag", "carry", "carried", ThingTraits.Handy),
        new("blanket", "sit on", "sat on", ThingTraits.Handy | ThingTraits.Shelter),
        new("coat", "wear", "wore", ThingTraits.Handy | ThingTraits.Shelter),
        new("scarf", "wear", "wore", ThingTraits.Handy),
        new("ball", "play with", "played with"),
        new("book", "read", "read"),
        new("hat", "wear", "wore"),
        new("mask", "wear", "wore"),
        new("flag", "wave", "waved"),
    ];

    public static readonly Place[] Places =
    [
        new("park", Outdoor | Venue | Sight),
        new("beach", Outdoor | Venue | Sight),
        new("lake", Outdoor | Venue | Sight),
        new("river", Outdoor | Venue),
        new("farm", Outdoor | Venue | Sight | Food),
        new("zoo", Outdoor | Sight),
        new("harbor", Outdoor | Venue | Sight),
        new("playground", Outdoor | Venue),
        new("castle", Outdoor | Venue | Sight),
        new("fountain", Outdoor | Meeting),
        new("bridge", Outdoor | Meeting),
        new("tower", Outdoor | Sight | Meeting),
        new("market", Outdoor | Food | Meeting),
        new("store", Food | Meeting),
        new("bakery", Meeting),
        new("station", Meeting),
        new("school", Venue | Meeting),
        new("hotel", Venue | Meeting),
        new("library", Venue),
        new("museum", Venue | Sight),
        new("theater", Venue),
        new("pool", Sight),
    ];

    public static readonly string[] OutdoorSpots =
        ["under a bench", "behind a tree", "behind a wall", "near the gate", "next to a big stone", "under a bush", "beside the path", "in the tall grass"];

    public static readonly string[] IndoorSpots =
        ["under a table", "behind a door", "in a dark corner", "under the stairs", "next to a chair", "behind a curtain", "near the window"];

    public static readonly string[] Days = Words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");

    public static readonly string[] Hours = Words("nine ten eleven noon one two three four five six");

    public static readonly string[] Numbers = Words("three four five six seven eight nine ten eleven twelve");

    /// <summary>Events that are held anywhere people can gather.</summary>
    public static readonly string[] Events = Words("party concert show dance play");

    /// <summary>Events that are held under the sky only.</summary>
    public static readonly string[] OutdoorEvents = Words("picnic race fair game");

    /// <summary>Events that one needs a ticket for.</summary>
    public static readonly string[] TicketEvents = Words("concert show dance play");

    public static readonly string[] Goods =
        Words("apples pears plums grapes carrots bread milk eggs honey cheese butter");

    /// <summary>Goods that one brings to a party or shares on a walk.</summary>
    public static readonly string[] Snacks = Words("apples pears plums grapes bread honey cheese");

    public static readonly string[] Animals =
        Words("dog cat rabbit bird duck mouse turtle goat hen horse fox bear frog squirrel owl");

    /// <summary>The animals that live in a house or beside it.</summary>
    public static readonly string[] Pets = Words("dog cat rabbit bird duck mouse turtle goat hen horse");

    public static readonly string[] HeroAnimals = Words("dog cat rabbit duck mouse turtle goat fox bear frog squirrel");

    public static readonly string[] Traits = Words("kind brave shy curious happy quiet clever little young gentle cheerful careful busy friendly");

    public static readonly string[] Weather = Words("rain snow ice fog wind heat");

    public static readonly Reason[] Causes =
    [
        new("rain", "The rain is so heavy that I had to stop."),
        new("snow", "The snow is very deep here."),
        new("storm", "The storm is too strong for my bike."),
        new("fog", "The fog is so thick that I can't see the road."),
        new("bus", "The bus did not come."),
        new("train", "The train stopped on the way."),
        new("traffic", "The traffic is very bad today."),
    ];

    public static readonly Reason[] Reasons =
    [
        new("cold", "I have a bad cold."),
        new("fever", "I have a fever and must stay in bed."),
        new("toothache", "I have a terrible toothache."),
        new("test", "I have a test and must study."),
        new("lesson", "I have a music lesson at that time."),
    ];

    public static readonly Skill[] Skills =
    [
        new("swim", "swimming", ["pool", "lake", "beach", "river"]),
        new("skate", "skating", ["park", "playground", "lake", "harbor"]),
        new("paint", "painting", ["school", "museum", "park", "beach", "castle"]),
        new("draw", "drawing", ["school", "museum", "zoo", "harbor", "library"]),
        new("dance", "dancing", ["school", "theater", "hotel", "park"]),
        new("sing", "singing", ["school", "theater", "park", "hotel"]),
        new("cook", "cooking", ["school", "farm", "hotel", "bakery"]),
        new("juggle", "juggling", ["park", "playground", "beach", "theater"]),
    ];

    public static readonly string[] Chores = Words("garden fence roof kitchen barn wall");

    public static readonly string[] Activities =
        ["bake a cake", "play cards", "paint pictures", "watch a film", "make soup", "sing songs"];

    /// <summary>The words of <paramref name="text"/>, separated by single spaces.</summary>
    private static string[] Words(string text) => text.Split(' ');

    private static IEnumerable<Person> Named(bool female, string names) => Words(names).Select(n => new Person(n, female));
}
