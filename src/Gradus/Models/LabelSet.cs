using System.Globalization;
using System.Text.Json.Nodes;

namespace Gradus.Models;

/// <summary>What the scores of a sequence classifier mean; the names are config.json's.</summary>
public enum ProblemType
{
    /// <summary><c>regression</c>: numbers.</summary>
    Regression,

    /// <summary><c>single_label_classification</c>: one class of several.</summary>
    SingleLabelClassification,

    /// <summary><c>multi_label_classification</c>: any number of classes.</summary>
    MultiLabelClassification,
}

/// <summary>
/// The classes that a classifier knows: <c>id2label</c>, <c>num_labels</c> and <c>problem_type</c> of config.json, which transformers
/// gives to every architecture.
/// </summary>
/// <param name="Names">A name for each class, by its number.</param>
/// <param name="ProblemType">What the scores mean, or null: a number where there is one class, else one class of several.</param>
public sealed record LabelSet(IReadOnlyList<string> Names, ProblemType? ProblemType = null)
{
    private const int DefaultCount = 2;

    private static readonly (string Name, ProblemType Value)[] Problems =
    [
        ("regression", Models.ProblemType.Regression),
        ("single_label_classification", Models.ProblemType.SingleLabelClassification),
        ("multi_label_classification", Models.ProblemType.MultiLabelClassification),
    ];

    /// <summary>Two classes without names of their own: what a configuration that says nothing means.</summary>
    public static LabelSet Default { get; } = OfCount(DefaultCount);

    /// <summary>The number of classes.</summary>
    public int Count => Names.Count;

    /// <summary>What the scores mean.</summary>
    public ProblemType Problem => ProblemType ?? (Count == 1 ? Models.ProblemType.Regression : Models.ProblemType.SingleLabelClassification);

    /// <summary>Classes that are only counted: LABEL_0, LABEL_1, …</summary>
    public static LabelSet OfCount(int count, ProblemType? problemType = null) =>
        new([.. Enumerable.Range(0, count).Select(i => $"LABEL_{i.ToString(CultureInfo.InvariantCulture)}")], problemType);

    /// <summary>Reads the classes out of a config.json.</summary>
    /// <param name="json">The parsed file.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">A key has a wrong value; one line that names the file and the key.</exception>
    internal static LabelSet Parse(JsonObject json, string source)
    {
        ProblemType? problem = json["problem_type"] is { } value ? ParseProblem(value, source) : null;
        if (json["id2label"] is { } names)
            return new LabelSet(ParseNames(names, source), problem);
        // Written by old versions, which kept the underscore of a private field.
        string key = json["num_labels"] is null && json["_num_labels"] is not null ? "_num_labels" : "num_labels";
        return json[key] switch
        {
            null => Default with { ProblemType = problem },
            JsonValue number when number.TryGetValue(out int count) && count is > 0 and <= 1 << 20 => OfCount(count, problem),
            _ => throw new InvalidDataException($"{source}: {key}: must be a whole number from 1 to {1 << 20}."),
        };
    }

    /// <summary>Writes the classes as transformers does: not at all where they are the usual ones.</summary>
    internal void Write(JsonObject json)
    {
        if (!Names.SequenceEqual(Default.Names))
        {
            JsonObject byId = [], byLabel = [];
            for (int i = 0; i < Names.Count; i++)
            {
                byId[i.ToString(CultureInfo.InvariantCulture)] = Names[i];
                byLabel[Names[i]] = i;
            }
            json["id2label"] = byId;
            json["label2id"] = byLabel;
        }
        if (ProblemType is { } type)
            json["problem_type"] = Problems.First(p => p.Value == type).Name;
    }

    /// <inheritdoc/>
    public bool Equals(LabelSet? other) => other is not null && ProblemType == other.ProblemType && Names.SequenceEqual(other.Names);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Count, ProblemType);

    private static ProblemType ParseProblem(JsonNode value, string source)
    {
        string? name = value is JsonValue text && text.TryGetValue(out string? plain) ? plain : null;
        int index = Array.FindIndex(Problems, p => p.Name == name);
        return index >= 0
            ? Problems[index].Value
            : throw new InvalidDataException($"{source}: problem_type: {value.ToJsonString()} is not known; write {string.Join(", ", Problems.Select(p => p.Name))} or null.");
    }

    // {"0": "negative", "1": "positive"}: the numbers count from 0 without a gap.
    private static string[] ParseNames(JsonNode value, string source)
    {
        if (value is not JsonObject { Count: > 0 } map)
            throw new InvalidDataException($"{source}: id2label: must be an object that names classes by their numbers.");
        string[] names = new string[map.Count];
        foreach ((string id, JsonNode? name) in map)
        {
            if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number >= names.Length || names[number] is not null)
                throw new InvalidDataException($"{source}: id2label: the classes of {names.Length} names are 0 to {names.Length - 1}, but one is \"{id}\".");
            names[number] = name is JsonValue text && text.TryGetValue(out string? plain) ? plain : name?.ToJsonString() ?? "null";
        }
        return names;
    }
}
