using System.Text.Json;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <content>The keywords that hold for one type each.</content>
internal sealed partial class SchemaExpansion
{
    private const int MostLength = 1_000_000;

    private static readonly HashSet<string> Refused = ["extends", "disallow", "divisibleBy"];

    private static void RefuseUnknown(Schema schema)
    {
        foreach (JsonProperty property in schema.Element.EnumerateObject())
        {
            if (Refused.Contains(property.Name))
                throw schema.Refused(property.Name, "cannot be enforced.");
        }
    }

    private List<Conjunct> Types(Schema schema)
    {
        JsonElement type = schema["type"];
        if (type.ValueKind == JsonValueKind.Undefined)
            return [_any];
        string[] names = type.ValueKind switch
        {
            JsonValueKind.String => [type.GetString()!],
            JsonValueKind.Array when type.EnumerateArray().All(t => t.ValueKind == JsonValueKind.String) => [.. type.EnumerateArray().Select(t => t.GetString()!)],
            _ => throw schema.Refused("type", "expected the name of a type, or a list of names."),
        };
        JsonTypes types = JsonTypes.None;
        foreach (string name in names)
        {
            types |= name switch
            {
                "null" => JsonTypes.Null,
                "boolean" => JsonTypes.True | JsonTypes.False,
                "number" or "integer" => JsonTypes.Number,
                "string" => JsonTypes.String,
                "array" => JsonTypes.Array,
                "object" => JsonTypes.Object,
                "any" when schema.Dialect == SchemaDialect.Older => JsonTypes.All,
                _ => throw schema.Refused("type", $"\"{name}\" is no type."),
            };
        }
        bool whole = names.Contains("integer") && !names.Contains("number") && !names.Contains("any");
        return [_any with { Types = types, Numbers = whole ? _numbers.Whole() : _numbers.All }];
    }

    /// <summary>The schema's constraints that need no alternatives.</summary>
    private Conjunct Plain(Schema schema) => _any with
    {
        Numbers = Numbers(schema),
        Strings = Strings(schema),
        Arrays = Arrays(schema),
        Objects = Objects(schema),
    };

    private int Numbers(Schema schema)
    {
        int language = _numbers.All;
        foreach (string keyword in NumberKeywords)
        {
            if (NumberLimit(schema, keyword) is { } limit)
                language = _regex.And(language, limit);
        }
        return language;
    }

    private static readonly string[] NumberKeywords = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];

    /// <summary>The numbers that one keyword allows; null where it says nothing.</summary>
    private int? NumberLimit(Schema schema, string keyword)
    {
        JsonElement value = schema[keyword];
        if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.True or JsonValueKind.False)
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw schema.Refused(keyword, "expected a number.");
        if (!Languages.Decimal.TryParse(value.GetRawText(), out Languages.Decimal limit))
            throw schema.Refused(keyword, $"{value.GetRawText()} has too many digits to be enforced.");
        // In draft 4 a flag beside the limit makes it exclusive.
        bool flag(string name) => schema[name].ValueKind == JsonValueKind.True;
        return keyword switch
        {
            "minimum" => _numbers.AtLeast(limit, beyond: flag("exclusiveMinimum")),
            "maximum" => _numbers.AtMost(limit, before: flag("exclusiveMaximum")),
            "exclusiveMinimum" => _numbers.AtLeast(limit, beyond: true),
            "exclusiveMaximum" => _numbers.AtMost(limit, before: true),
            _ => (limit.Digits.Sign > 0 ? _numbers.Multiples(limit) : null) ?? throw schema.Refused(keyword, $"{value.GetRawText()} cannot be enforced; give a number above 0 with few digits."),
        };
    }

    private int Strings(Schema schema)
    {
        int language = _coding.AnyText;
        foreach (string keyword in StringKeywords)
        {
            if (StringLimit(schema, keyword) is { } limit)
                language = language == _coding.AnyText ? limit : _regex.And(language, limit);
        }
        return language;
    }

    private static readonly string[] StringKeywords = ["minLength", "maxLength", "pattern", "format"];

    /// <summary>The texts that one keyword allows; null where it says nothing.</summary>
    private int? StringLimit(Schema schema, string keyword)
    {
        JsonElement value = schema[keyword];
        if (value.ValueKind == JsonValueKind.Undefined)
            return null;
        switch (keyword)
        {
            case "minLength":
                // Both limits at once are one repetition.
                int min = Count(schema, "minLength");
                return _regex.Repeat(_coding.Any, min, schema.Has("maxLength") && Count(schema, "maxLength") is var both && both >= min ? both : RegexStore.Unlimited);
            case "maxLength":
                int max = Count(schema, "maxLength");
                return schema.Has("minLength") && Count(schema, "minLength") <= max ? null : _regex.Repeat(_coding.Any, 0, max);
            case "pattern":
                if (value.ValueKind != JsonValueKind.String)
                    throw schema.Refused(keyword, "expected a regular expression.");
                return PatternParser.Parse(value.GetString()!, $"{schema.Path}/pattern").ToLanguage(_coding, whole: false, $"{schema.Path}/pattern");
            default:
                if (value.ValueKind != JsonValueKind.String)
                    throw schema.Refused(keyword, "expected the name of a format.");
                return _formats.Find(value.GetString()!, $"{schema.Path}/format");
        }
    }

    private static int Count(Schema schema, string keyword, int whenAbsent = 0)
    {
        JsonElement value = schema[keyword];
        if (value.ValueKind == JsonValueKind.Undefined)
            return whenAbsent;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || number < 0 || number != Math.Floor(number))
            throw schema.Refused(keyword, "expected a whole number from 0 on.");
        if (number > MostLength && keyword.StartsWith("min", StringComparison.Ordinal))
            throw schema.Refused(keyword, $"more than {MostLength:N0} cannot be enforced.");
        return number > MostLength ? RegexStore.Unlimited : (int)number;
    }

    private ArrayRules Arrays(Schema schema)
    {
        ArrayRules rules = ArrayRules.Any;
        JsonElement items = schema["items"];
        bool older = items.ValueKind == JsonValueKind.Array || schema.Dialect != SchemaDialect.Newer;
        string firstKeyword = older ? "items" : "prefixItems";
        string othersKeyword = items.ValueKind == JsonValueKind.Array ? "additionalItems" : "items";
        int[] first = older && items.ValueKind != JsonValueKind.Array ? [] : [.. Schemas(schema, firstKeyword).Select(s => Literals.Of(s))];
        int? others = schema.Has(othersKeyword) ? Literals.Of(Below(schema, othersKeyword)) : null;
        if (first.Length > 0 || others is not null)
            rules = rules with { Items = [new ItemRules(first, others)], Evaluated = others is null ? first.Length : int.MaxValue };
        if (schema.Has("contains"))
        {
            ItemCount count = new(Literals.Of(Below(schema, "contains")), 0, Count(schema, "minContains", 1), Count(schema, "maxContains", RegexStore.Unlimited));
            rules = rules with { Counts = [count] };
        }
        if (schema.Has("minItems") || schema.Has("maxItems"))
            rules = rules with { Min = Count(schema, "minItems"), Max = Count(schema, "maxItems", RegexStore.Unlimited) };
        return schema["uniqueItems"].ValueKind == JsonValueKind.True ? rules with { Unique = $"{schema.Path}/uniqueItems" } : rules;
    }

    private ObjectRules Objects(Schema schema)
    {
        ObjectRules rules = ObjectRules.Any;
        Dictionary<string, int> named = Last(Properties(schema, "properties").Select(p => (p.Name, Literals.Of(_documents.Below(schema, p.Value, "properties", p.Name)))));
        List<(int, int)> patterned = [.. Properties(schema, "patternProperties").Select(p => (Names(schema, p.Name), Literals.Of(_documents.Below(schema, p.Value, "patternProperties", p.Name))))];
        int? others = schema.Has("additionalProperties") ? Literals.Of(Below(schema, "additionalProperties")) : null;
        if (named.Count + patterned.Count > 0 || others is not null)
        {
            int[] seen = others is not null ? [_coding.AnyText] : [.. named.Keys.Select(_coding.Literal), .. patterned.Select(p => p.Item1)];
            rules = rules with { Properties = [new PropertyRules(named, patterned, others)], Evaluated = seen };
        }
        if (schema.Has("required") && schema["required"].ValueKind == JsonValueKind.Array)
            rules = rules with { Required = RequiredNames(schema) };
        if (schema.Has("propertyNames"))
            rules = rules with { Names = StringsOf(Literals.Of(Below(schema, "propertyNames"))) };
        if (schema.Has("minProperties") || schema.Has("maxProperties"))
            rules = rules with { Min = Count(schema, "minProperties"), Max = Count(schema, "maxProperties", RegexStore.Unlimited) };
        List<(string, string[])> dependent = [.. DependentNames(schema)];
        return dependent.Count == 0 ? rules : rules with { Dependent = dependent };
    }

    private static string[] RequiredNames(Schema schema) =>
        [.. Items(schema, "required").Select(r => r.ValueKind == JsonValueKind.String ? r.GetString()! : throw schema.Refused("required", "expected names.")).Distinct()];

    private static IEnumerable<(string Name, string[] Needs)> DependentNames(Schema schema)
    {
        foreach (string keyword in new[] { "dependentRequired", "dependencies" })
        {
            foreach (JsonProperty property in Properties(schema, keyword))
            {
                if (property.Value.ValueKind == JsonValueKind.Array)
                    yield return (property.Name, [.. property.Value.EnumerateArray().Select(n => n.GetString() ?? throw schema.Refused(keyword, "expected names."))]);
            }
        }
    }

    private int Names(Schema schema, string pattern) =>
        PatternParser.Parse(pattern, $"{schema.Path}/patternProperties").ToLanguage(_coding, whole: false, $"{schema.Path}/patternProperties");

    /// <summary>Values that equal one of some constants.</summary>
    private List<Conjunct> Constants(List<JsonElement> values)
    {
        List<Conjunct> all = [];
        if (values.Exists(v => v.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object)))
        {
            (JsonTypes types, int numbers, int strings) = Scalars(values);
            all.Add(_any with { Types = types, Numbers = numbers, Strings = strings, Values = [.. values.Where(v => v.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object)).Select(v => v.GetRawText()).Distinct()] });
        }
        foreach (JsonElement value in values)
        {
            if (value.ValueKind is JsonValueKind.Array or JsonValueKind.Object)
                all.AddRange(Expand(Structure(value)));
        }
        return all;
    }

    private (JsonTypes Types, int Numbers, int Strings) Scalars(List<JsonElement> values)
    {
        JsonTypes types = JsonTypes.None;
        List<int> numbers = [];
        List<string> strings = [];
        foreach (JsonElement value in values)
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.Null:
                    types |= JsonTypes.Null;
                    break;
                case JsonValueKind.True:
                    types |= JsonTypes.True;
                    break;
                case JsonValueKind.False:
                    types |= JsonTypes.False;
                    break;
                case JsonValueKind.String:
                    types |= JsonTypes.String;
                    strings.Add(Text(value));
                    break;
                case JsonValueKind.Number:
                    types |= JsonTypes.Number;
                    numbers.Add(Languages.Decimal.TryParse(value.GetRawText(), out Languages.Decimal number) ? _numbers.Equal(number) : throw new StructureException($"#: the constant {value.GetRawText()} has too many digits to be enforced."));
                    break;
            }
        }
        return (types, _regex.Or([.. numbers]), _coding.Literals(strings));
    }

    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new StructureException($"#: the constant {value.GetRawText()} holds half a surrogate pair.");
        }
    }

    /// <summary>The schema of an array or object that equals a constant.</summary>
    private int Structure(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            string items = string.Join(',', value.EnumerateArray().Select(v => $"{{\"const\":{v.GetRawText()}}}"));
            return Literals.Of(_documents.Made($"{{\"type\":\"array\",\"prefixItems\":[{items}],\"minItems\":{value.GetArrayLength()},\"maxItems\":{value.GetArrayLength()}}}", "#"));
        }
        Dictionary<string, JsonElement> properties = Last(value.EnumerateObject().Select(p => (p.Name, p.Value)));
        string named = string.Join(',', properties.Select(p => $"{Quote(p.Key)}:{{\"const\":{p.Value.GetRawText()}}}"));
        string required = string.Join(',', properties.Keys.Select(Quote));
        return Literals.Of(_documents.Made($"{{\"type\":\"object\",\"properties\":{{{named}}},\"required\":[{required}],\"additionalProperties\":false}}", "#"));
    }

    /// <summary>Of a name that occurs twice the last counts, as in most JSON readers.</summary>
    private static Dictionary<string, T> Last<T>(IEnumerable<(string Name, T Value)> pairs)
    {
        Dictionary<string, T> map = new(StringComparer.Ordinal);
        foreach ((string name, T value) in pairs)
            map[name] = value;
        return map;
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
