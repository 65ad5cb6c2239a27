namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// The facts of one story or dialogue while it is drawn: the slots that its sentences use, and beside them the facts proper.
/// <see cref="Key"/> says which part of the data set the combination belongs to.
/// </summary>
internal sealed class Facts(string family)
{
    private readonly List<string> _key = [family];

    /// <summary>Everything that a sentence may name, pronouns and details included.</summary>
    public Dictionary<string, string> Slots { get; } = [];

    /// <summary>The facts proper.</summary>
    public Dictionary<string, string> Values { get; } = [];

    /// <summary>The facts that a held-out combination is made of, in a fixed order.</summary>
    public string Key => string.Join('|', _key);

    /// <summary>Eight in ten keys belong to training, one to validation, one to test, whatever the seed.</summary>
    public Split Split => (SplitMix64.Hash(Key) % 10) switch { 0 => Split.Test, 1 => Split.Validation, _ => Split.Train };

    /// <summary>A fact proper; part of the key unless <paramref name="inKey"/> is false.</summary>
    public void Set(string slot, string value, bool inKey = true)
    {
        Slots[slot] = value;
        Values[slot] = value;
        if (inKey)
            _key.Add(value);
    }

    /// <summary>A person with pronouns: slots <paramref name="slot"/>, <c>slot.he</c>, <c>slot.him</c>, <c>slot.his</c>.</summary>
    public void SetPerson(string slot, Person person, bool inKey = false)
    {
        Set(slot, person.Name, inKey);
        SetPronouns(slot + ".", person);
    }

    public void SetPronouns(string prefix, Person person)
    {
        Slots[prefix + "he"] = person.He;
        Slots[prefix + "him"] = person.Him;
        Slots[prefix + "his"] = person.His;
    }

    /// <summary>A thing with its color: slots thing, noun, color, use, used. The color is not part of the key, so a held-out
    /// combination stays held out in every color.</summary>
    public void SetThing(Thing thing, string color)
    {
        Set("noun", thing.Noun);
        Set("color", color, inKey: false);
        Slots["thing"] = color + " " + thing.Noun;
        Slots["use"] = thing.Use;
        Slots["used"] = thing.Used;
    }
}
