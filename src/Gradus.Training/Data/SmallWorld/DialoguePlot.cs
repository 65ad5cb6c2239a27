namespace Gradus.Training.Data.SmallWorld;

/// <summary>What a dialogue plot needs to be told; each draws one or more slots.</summary>
internal enum Fact
{
    Thing,
    HardThing,
    Place,
    Shop,
    Sight,
    Trip,
    Day,
    OtherDay,
    Hour,
    EventAtPlace,
    Event,
    TicketEventAtPlace,
    TwoGoods,
    Snack,
    Pet,
    Kin,
    ThirdPerson,
    Number,
    Weather,
    Cause,
    SkillAtPlace,
    Reason,
    Chore,
    Activity,
}

/// <summary>
/// One thing that can happen between two people. The first turn is A's, and A and B take turns; of each turn one variant is
/// said. Greetings are added in front. The summary is a function of the plot and its facts alone.
/// </summary>
/// <param name="Name">Family and outcome, such as "bring/late".</param>
/// <param name="Needs">The facts, in the order in which they are drawn.</param>
/// <param name="Summary">The canonical summary.</param>
/// <param name="Turns">The variants of each turn.</param>
internal sealed record DialoguePlot(string Name, Fact[] Needs, string Summary, string[][] Turns)
{
    public static readonly string[] SmallTalk = ["Hi {B}! How are you?", "Hello, {B}. How are you today?", "Good morning, {B}! How was your week?"];

    public static readonly string[] SmallTalkAnswers = ["Hi {A}! Very good, thanks.", "Hello, {A}. Not bad at all.", "Very good, {A}, thank you."];

    public static readonly string[] Greetings = ["Hi {B}!", "Hello, {B}!", "Good morning, {B}.", "Hey {B}!"];

    public static readonly string[] GreetingAnswers = ["Hi {A}!", "Hello, {A}.", "Hi there, {A}."];

    /// <summary>The plot without its outcome: a combination of facts is held out for every outcome at once.</summary>
    public string Family => Name.Split('/')[0];

    public Facts DrawFacts(SplitMix64 random)
    {
        var facts = new Facts(Family);
        Person a = random.Pick(WordPools.People);
        Person b = PickOther(random, a);
        facts.SetPerson("A", a);
        facts.SetPerson("B", b);
        facts.Slots["kin"] = random.Pick(WordPools.Kin).Name;
        foreach (Fact need in Needs)
            Draw(need, facts, random);
        if (Needs.Contains(Fact.ThirdPerson))
            facts.SetPerson("C", PickOther(random, a, b));
        return facts;
    }

    public DialogueSummary Tell(Facts facts, SplitMix64 random)
    {
        var lines = new List<string>(Turns.Length + 2);
        void Say(string text)
        {
            string speaker = facts.Slots[lines.Count % 2 == 0 ? "A" : "B"];
            lines.Add(speaker + ": " + Template.Fill(text, facts.Slots));
        }

        bool smallTalk = random.OneIn(3);
        if (smallTalk)
        {
            Say(random.Pick(SmallTalk));
            Say(random.Pick(SmallTalkAnswers));
        }
        for (int i = 0; i < Turns.Length; i++)
        {
            string text = random.Pick(Turns[i]);
            if (!smallTalk && i < 2)
                text = random.Pick(i == 0 ? Greetings : GreetingAnswers) + " " + text;
            Say(text);
        }
        return new DialogueSummary(string.Join('\n', lines), Template.Fill(Summary, facts.Slots), Name, facts.Values);
    }

    private static void Draw(Fact fact, Facts facts, SplitMix64 random)
    {
        switch (fact)
        {
            case Fact.Thing: facts.SetThing(random.Pick(WordPools.Things), random.Pick(WordPools.Colors)); break;
            case Fact.HardThing: facts.SetThing(PickThing(random, ThingTraits.Hard), random.Pick(WordPools.Colors)); break;
            case Fact.Place: facts.Set("place", random.Pick(WordPools.Places).Name); break;
            case Fact.Shop: facts.Set("place", PickPlace(random, PlaceTraits.Food)); break;
            case Fact.Sight: facts.Set("place", PickPlace(random, PlaceTraits.Sight)); break;
            case Fact.Trip:
                facts.Set("place", PickPlace(random, PlaceTraits.Sight));
                facts.Set("place2", PickDifferent(() => PickPlace(random, PlaceTraits.Meeting), facts.Slots["place"]));
                break;
            case Fact.Day: facts.Set("day", random.Pick(WordPools.Days)); break;
            case Fact.OtherDay: facts.Set("day2", PickDifferent(() => random.Pick(WordPools.Days), facts.Slots["day"])); break;
            case Fact.Hour: facts.Set("hour", random.Pick(WordPools.Hours)); break;
            case Fact.EventAtPlace:
                DrawEvent(facts, random);
                bool outdoor = WordPools.OutdoorEvents.Contains(facts.Slots["event"]);
                facts.Set("place", PickPlace(random, PlaceTraits.Venue | (outdoor ? PlaceTraits.Outdoor : PlaceTraits.None)));
                break;
            case Fact.Event: DrawEvent(facts, random); break;
            case Fact.TicketEventAtPlace:
                facts.Set("event", random.Pick(WordPools.TicketEvents));
                facts.Set("place", PickPlace(random, PlaceTraits.Venue));
                break;
            case Fact.TwoGoods:
                facts.Set("goods", random.Pick(WordPools.Goods));
                facts.Set("goods2", PickDifferent(() => random.Pick(WordPools.Goods), facts.Slots["goods"]));
                break;
            case Fact.Snack: facts.Set("goods", random.Pick(WordPools.Snacks)); break;
            case Fact.Pet: facts.Set("pet", random.Pick(WordPools.Pets)); break;
            case Fact.Kin: facts.Set("kin", random.Pick(WordPools.Kin).Name); break;
            case Fact.ThirdPerson: break; // drawn last, not part of the key
            case Fact.Number: facts.Set("number", random.Pick(WordPools.Numbers)); break;
            case Fact.Weather: facts.Set("weather", random.Pick(WordPools.Weather)); break;
            case Fact.Cause: DrawReason("cause", WordPools.Causes, facts, random); break;
            case Fact.SkillAtPlace:
                Skill skill = random.Pick(WordPools.Skills);
                facts.Set("skill", skill.Verb);
                facts.Slots["skilling"] = skill.Gerund;
                facts.Set("place", random.Pick(skill.Places));
                break;
            case Fact.Reason: DrawReason("reason", WordPools.Reasons, facts, random); break;
            case Fact.Chore: facts.Set("chore", random.Pick(WordPools.Chores)); break;
            case Fact.Activity: facts.Set("activity", random.Pick(WordPools.Activities)); break;
            default: throw new InvalidOperationException($"No way to draw {fact}.");
        }
    }

    private static void DrawEvent(Facts facts, SplitMix64 random) =>
        facts.Set("event", random.Pick(random.OneIn(2) ? WordPools.Events : WordPools.OutdoorEvents));

    private static void DrawReason(string slot, Reason[] reasons, Facts facts, SplitMix64 random)
    {
        Reason reason = random.Pick(reasons);
        facts.Set(slot, reason.Name);
        facts.Slots[slot + "line"] = reason.Line;
    }

    private static Thing PickThing(SplitMix64 random, ThingTraits traits) =>
        random.Pick(WordPools.Things.Where(t => (t.Traits & traits) == traits).ToList());

    private static string PickPlace(SplitMix64 random, PlaceTraits traits) =>
        random.Pick(WordPools.Places.Where(p => p.Has(traits)).ToList()).Name;

    private static Person PickOther(SplitMix64 random, params Person[] taken) =>
        random.Pick(WordPools.People.Except(taken).ToList());

    private static string PickDifferent(Func<string> draw, string taken)
    {
        string value = draw();
        while (value == taken)
            value = draw();
        return value;
    }
}
