using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf;

/// <summary>The values of a config.json, read with their types.</summary>
/// <param name="json">The parsed file.</param>
/// <param name="place">What errors call it.</param>
internal sealed class HyperParameters(JsonObject json, string place)
{
    // Far above every model, and low enough to make a table of.
    private const int Largest = 1 << 24;

    /// <summary>What errors call the file.</summary>
    public string Place => place;

    /// <summary>The parsed file.</summary>
    public JsonObject Json => json;

    /// <summary>Whether a key has a value other than null.</summary>
    public bool Has(string name) => json[name] is not null;

    /// <summary>An integer that must be there and be at least 1.</summary>
    /// <exception cref="InvalidDataException">It is missing or wrong.</exception>
    public int Size(string name)
    {
        int value = Integer(name) ?? throw Malformed.File(place, $"{name} is missing; get it again, or from where the model was made.");
        return value is >= 1 and <= Largest ? value : throw Malformed.File(place, $"{name} is {value}, which is no size of a model; it is damaged, get it again.");
    }

    /// <summary>The number of rows of a projection, which tables are made for.</summary>
    /// <exception cref="InvalidDataException">No model has so many.</exception>
    public int Rows(params ReadOnlySpan<int> factors)
    {
        long rows = 1;
        foreach (int factor in factors)
            rows = factor is >= 0 and <= Largest ? Math.Min(rows * factor, (long)Largest + 1) : Largest + 1L;
        return rows <= Largest ? (int)rows : throw Malformed.File(place, "asks for heads of an absurd size; it is damaged, get it again.");
    }

    /// <summary>The first of several keys that has an integer; families and versions differ in the names they use.</summary>
    public int Size(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Has(name))
                return Size(name);
        }
        return Size(names[0]);
    }

    /// <summary>An integer, or null where there is none.</summary>
    public int? Integer(string name) => json[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out int number) => number,
        // Values that were set rather than parsed keep their type.
        JsonValue value when value.TryGetValue(out long wide) && wide is >= int.MinValue and <= int.MaxValue => (int)wide,
        _ => throw Malformed.File(place, $"{name} is not an integer; it is damaged, get it again."),
    };

    /// <summary>A number, or null where there is none.</summary>
    public double? Number(string name) => json[name] switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => ToDouble(value),
        _ => throw Malformed.File(place, $"{name} is not a number; it is damaged, get it again."),
    };

    /// <summary>True or false; the family's default where there is none.</summary>
    public bool Flag(string name, bool whenAbsent) => json[name] switch
    {
        null => whenAbsent,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        _ => throw Malformed.File(place, $"{name} is not true or false."),
    };

    /// <summary>A text, or null where there is none.</summary>
    public string? Text(string name) => json[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw Malformed.File(place, $"{name} is not a text."),
    };

    /// <summary>An object below a key, or null where there is none.</summary>
    public HyperParameters? Below(string name) => json[name] switch
    {
        null => null,
        JsonObject below => new HyperParameters(below, $"{place}: {name}"),
        _ => throw Malformed.File(place, $"{name} is not an object."),
    };

    /// <summary>A list of numbers, or null where there is none.</summary>
    public float[]? Numbers(string name)
    {
        if (json[name] is not { } node)
            return null;
        if (node is not JsonArray list || !list.All(v => v is JsonValue value && value.GetValueKind() == JsonValueKind.Number))
            throw Malformed.File(place, $"{name} is not a list of numbers.");
        return [.. list.Select(v => (float)ToDouble((JsonValue)v!))];
    }

    private static double ToDouble(JsonValue number) => double.Parse(number.ToJsonString(), CultureInfo.InvariantCulture);
}
