namespace Gradus.Files;

/// <summary>The name of a class or function that a pickle mentions; nothing but a name.</summary>
internal sealed record PickleGlobal(string Module, string Name);

/// <summary>A list, tuple or set.</summary>
internal sealed class PickleList(List<object?>? items = null)
{
    /// <summary>The items in order.</summary>
    public List<object?> Items { get; } = items ?? [];
}

/// <summary>A dictionary in the order of insertion; a repeated key keeps its place and takes the last value, as in Python.</summary>
internal sealed class PickleMap
{
    private readonly Dictionary<object, int> _places = [];

    /// <summary>The pairs in order.</summary>
    public List<KeyValuePair<object, object?>> Pairs { get; } = [];

    /// <summary>Adds key, value, key, value ….</summary>
    /// <exception cref="FormatException">A key has no value, or is none that a dictionary can have.</exception>
    public void AddPairs(List<object?> keysAndValues)
    {
        if (keysAndValues.Count % 2 != 0)
            throw new FormatException("a dictionary has a key without a value");
        for (int i = 0; i < keysAndValues.Count; i += 2)
        {
            object key = keysAndValues[i] is { } k and (string or long or double or bool or PickleGlobal) ? k : throw new FormatException("a dictionary has a key that is no name or number");
            KeyValuePair<object, object?> pair = new(key, keysAndValues[i + 1]);
            if (_places.TryAdd(key, Pairs.Count))
                Pairs.Add(pair);
            else
                Pairs[_places[key]] = pair;
        }
    }
}

/// <summary>What the objects that a pickle asks for mean; implementations refuse all they do not know.</summary>
internal interface IPickleObjects
{
    /// <summary>A class or function is named.</summary>
    PickleGlobal Global(PickleGlobal global);

    /// <summary>A class or function is to be called.</summary>
    object? Call(PickleGlobal function, PickleList arguments);

    /// <summary>An object is to be given its state.</summary>
    object? Build(object? target, object? state);

    /// <summary>An object that lies outside the pickle.</summary>
    object? Persistent(object? id);
}
