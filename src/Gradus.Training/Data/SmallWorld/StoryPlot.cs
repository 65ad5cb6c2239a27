namespace Gradus.Training.Data.SmallWorld;

/// <summary>A question that a story answers, in several wordings, and its answer.</summary>
internal sealed record Question(string[] Wordings, string Answer);

/// <summary>A story that was told: its passages in order, and what its sentences can name.</summary>
internal sealed record Story(StoryPlot Plot, Facts Facts, string[] Passages)
{
    public string Text => string.Join(' ', Passages);
}

/// <summary>
/// A narrative schema: who, with which thing, at which place, and what happens in which order. Each beat is told by one of
/// its variants; an empty variant leaves the beat out. Stories are in the past tense, summaries in the present: two registers.
/// </summary>
/// <param name="Name">The schema.</param>
/// <param name="Thing">What the thing must be good for.</param>
/// <param name="Outdoor">Whether it happens under the sky.</param>
/// <param name="Beats">The variants of each beat after the opening.</param>
/// <param name="Questions">What can be asked about any story of this schema.</param>
internal sealed record StoryPlot(string Name, ThingTraits Thing, bool Outdoor, string[][] Beats, Question[] Questions)
{
    public static readonly string[] Openings =
    [
        "Once upon a time, there was {a trait} {kind} named {hero}.",
        "There once was {a trait} {kind} named {hero}.",
        "{Hero} was {a trait} {kind} who liked to {skill}.",
        "{Hero} was {a trait} {kind}, and {he} loved to {skill}.",
        "Long ago, {a trait} {kind} named {hero} lived near the {place}.",
        "In a small town lived {a trait} {kind} named {hero}.",
    ];

    /// <summary>The variants of a beat that is left out of every second story.</summary>
    public static string[] Maybe(params string[] variants) => [.. variants, .. variants.Select(_ => "")];

    public Facts DrawFacts(SplitMix64 random)
    {
        var facts = new Facts(Name);
        Person hero = random.Pick(WordPools.People);
        Person friend = random.Pick(WordPools.People.Where(p => p != hero).ToList());
        Person kin = random.Pick(WordPools.Kin);
        bool child = !random.OneIn(3);
        string kind = child ? (hero.Female ? "girl" : "boy") : random.Pick(WordPools.HeroAnimals);
        Place place = random.Pick(WordPools.Places.Where(p => !Outdoor || p.Has(PlaceTraits.Outdoor)).ToList());

        facts.SetPerson("hero", hero, inKey: true);
        facts.SetPronouns("", hero);
        facts.SetThing(random.Pick(WordPools.Things.Where(t => (t.Traits & Thing) == Thing).ToList()), random.Pick(WordPools.Colors));
        facts.Set("place", place.Name);
        facts.SetPerson("friend", friend);
        facts.Set("kin", kin.Name, inKey: false);
        facts.SetPronouns("kin.", kin);
        facts.Set("kind", kind, inKey: false);
        facts.Set("trait", random.Pick(WordPools.Traits), inKey: false);
        facts.Set("helper", random.Pick(WordPools.Animals.Where(a => a != kind).ToList()), inKey: false);
        facts.Set("skill", random.Pick(WordPools.Skills).Verb, inKey: false);
        facts.Set("day", random.Pick(WordPools.Days), inKey: false);
        facts.Set("snack", random.Pick(WordPools.Snacks), inKey: false);
        facts.Set("spot", random.Pick(place.Has(PlaceTraits.Outdoor) ? WordPools.OutdoorSpots : WordPools.IndoorSpots), inKey: false);
        return facts;
    }

    public Story Tell(Facts facts, SplitMix64 random)
    {
        var passages = new List<string>(Beats.Length + 1) { Template.Fill(random.Pick(Openings), facts.Slots) };
        foreach (string[] beat in Beats)
        {
            string passage = Template.Fill(random.Pick(beat), facts.Slots);
            if (passage.Length > 0)
                passages.Add(passage);
        }
        return new Story(this, facts, [.. passages]);
    }
}
