using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>The types of JSON values, as bits; the two booleans are two.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    Null = 1,
    True = 2,
    False = 4,
    Number = 8,
    String = 16,
    Array = 32,
    Object = 64,
    Scalars = Null | True | False | Number | String,
    All = 127,
}

/// <summary>Schemas that a value must all satisfy: numbers of schemas times two, plus one for those that it must not.</summary>
internal sealed record Literals(params int[] Items)
{
    public static Literals None { get; } = new();

    public static int Of(Schema schema, bool negative = false) => (schema.Id << 1) | (negative ? 1 : 0);

    public Literals And(Literals other) => Items.Length == 0 ? other : other.Items.Length == 0 ? this : new Literals([.. Items.Union(other.Items).Order()]);

    public Literals And(int literal) => Items.Contains(literal) ? this : new Literals([.. Items.Append(literal).Order()]);
}

/// <summary>What one schema says of properties: by name, by pattern, and of all others.</summary>
internal sealed record PropertyRules(IReadOnlyDictionary<string, int> Named, IReadOnlyList<(int Names, int Literal)> Patterned, int? Others);

/// <summary>What one schema says of items: the first ones each, and all others.</summary>
internal sealed record ItemRules(IReadOnlyList<int> First, int? Others);

/// <summary>Items that must occur a number of times.</summary>
internal sealed record ItemCount(int Literal, int From, int Min, int Max);

/// <summary>What objects must be like.</summary>
internal sealed record ObjectRules
{
    public static ObjectRules Any { get; } = new();

    public IReadOnlyList<PropertyRules> Properties { get; init; } = [];

    public IReadOnlyList<string> Required { get; init; } = [];

    public IReadOnlyList<(string Name, string[] Needs)> Dependent { get; init; } = [];

    /// <summary>The language of names, all of it where null.</summary>
    public int? Names { get; init; }

    /// <summary>Properties of which there must be one: a language of names, and what the value satisfies.</summary>
    public IReadOnlyList<(int Names, int Literal)> Some { get; init; } = [];

    public int Min { get; init; }

    public int Max { get; init; } = int.MaxValue;

    /// <summary>Names that some schema has looked at, for unevaluatedProperties.</summary>
    public IReadOnlyList<int> Evaluated { get; init; } = [];

    public ObjectRules And(ObjectRules other, RegexStore regex) => ReferenceEquals(this, Any) ? other : ReferenceEquals(other, Any) ? this : new ObjectRules
    {
        Properties = [.. Properties, .. other.Properties],
        Required = [.. Required.Union(other.Required)],
        Dependent = [.. Dependent, .. other.Dependent],
        Names = Names is { } a && other.Names is { } b ? regex.And(a, b) : Names ?? other.Names,
        Some = [.. Some, .. other.Some],
        Min = Math.Max(Min, other.Min),
        Max = Math.Min(Max, other.Max),
        Evaluated = [.. Evaluated, .. other.Evaluated],
    };
}

/// <summary>What arrays must be like.</summary>
internal sealed record ArrayRules
{
    public static ArrayRules Any { get; } = new();

    public IReadOnlyList<ItemRules> Items { get; init; } = [];

    public IReadOnlyList<ItemCount> Counts { get; init; } = [];

    public int Min { get; init; }

    public int Max { get; init; } = int.MaxValue;

    /// <summary>The path of a uniqueItems that must hold, or null.</summary>
    public string? Unique { get; init; }

    /// <summary>How many items some schema has looked at, for unevaluatedItems.</summary>
    public int Evaluated { get; init; }

    public ArrayRules And(ArrayRules other) => ReferenceEquals(this, Any) ? other : ReferenceEquals(other, Any) ? this : new ArrayRules
    {
        Items = [.. Items, .. other.Items],
        Counts = [.. Counts, .. other.Counts],
        Min = Math.Max(Min, other.Min),
        Max = Math.Min(Max, other.Max),
        Unique = Unique ?? other.Unique,
        Evaluated = Math.Max(Evaluated, other.Evaluated),
    };
}

/// <summary>One of the alternatives that a schema comes down to: for each type what its values must be like.</summary>
internal sealed record Conjunct(JsonTypes Types, int Numbers, int Strings, ArrayRules Arrays, ObjectRules Objects)
{
    /// <summary>The values that are possible at all, as JSON texts; null where they are not a list.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    public bool IsNothing => Types == JsonTypes.None;

    /// <summary>Both; without the types of which nothing is left.</summary>
    public Conjunct And(Conjunct other, RegexStore regex)
    {
        JsonTypes types = Types & other.Types;
        int numbers = regex.And(Numbers, other.Numbers);
        int strings = regex.And(Strings, other.Strings);
        if (numbers == RegexStore.Empty)
            types &= ~JsonTypes.Number;
        if (strings == RegexStore.Empty)
            types &= ~JsonTypes.String;
        ArrayRules arrays = (types & JsonTypes.Array) == 0 ? ArrayRules.Any : Arrays.And(other.Arrays);
        ObjectRules objects = (types & JsonTypes.Object) == 0 ? ObjectRules.Any : Objects.And(other.Objects, regex);
        if (arrays.Min > arrays.Max)
            types &= ~JsonTypes.Array;
        if (objects.Min > objects.Max || objects.Required.Count > objects.Max)
            types &= ~JsonTypes.Object;
        return new Conjunct(types, numbers, strings, arrays, objects)
        {
            Values = Values is null ? other.Values : other.Values is null ? Values : [.. Values.Intersect(other.Values)],
        };
    }
}
