// What a schema, or several at once, comes down to: a list of alternatives without anyOf, not, if and the like. A schema is taken as a
// proposition over values; what it says of properties and items stays a reference to other schemas, so that recursion ends.
// Source: JSON Schema core and validation, draft 2020-12; older drafts where their keywords differ.

using System.Text.Json;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>Finds the alternatives of schemas.</summary>
internal sealed partial class SchemaExpansion
{
    private const int MostAlternatives = 2000;

    private readonly RegexStore _regex;
    private readonly CharacterCoding _coding;
    private readonly NumberLanguage _numbers;
    private readonly StringFormats _formats;
    private readonly SchemaDocuments _documents;
    private readonly Dictionary<int, List<Conjunct>> _known = [];
    private readonly HashSet<int> _open = [];
    private readonly Conjunct _any;
    private readonly bool _seesEvaluated;

    public SchemaExpansion(RegexStore regex, CharacterCoding coding, SchemaDocuments documents, bool assertFormats)
    {
        _regex = regex;
        _coding = coding;
        _documents = documents;
        _seesEvaluated = documents.Uses("unevaluatedProperties") || documents.Uses("unevaluatedItems");
        _numbers = new NumberLanguage(regex);
        _formats = new StringFormats(coding, assertFormats);
        _any = new Conjunct(JsonTypes.All, _numbers.All, coding.AnyText, ArrayRules.Any, ObjectRules.Any);
    }

    public Conjunct Any => _any;

    public SchemaDocuments Documents => _documents;

    /// <summary>The alternatives of values that satisfy several schemas.</summary>
    public List<Conjunct> Expand(Literals literals)
    {
        List<Conjunct> all = [_any];
        foreach (int literal in literals.Items)
            all = Cross(all, Expand(literal));
        return all;
    }

    /// <summary>The schema of one constant.</summary>
    public int Constant(JsonElement value) => Literals.Of(_documents.Made($"{{\"const\":{value.GetRawText()}}}", "#"));

    /// <summary>The language of the texts that satisfy some schemas.</summary>
    public int StringsOf(int literal) => _regex.Or([.. Expand(literal).Where(c => (c.Types & JsonTypes.String) != 0).Select(c => c.Strings)]);

    private List<Conjunct> Expand(int literal)
    {
        if (_known.TryGetValue(literal, out List<Conjunct>? known))
            return known;
        // A schema that refers to itself in place says nothing more there.
        if (!_open.Add(literal))
            return (literal & 1) == 0 ? [_any] : [];
        if (_open.Count > 500)
            throw new StructureException($"{_documents[literal >> 1].Path}: schemas refer to one another through more than 500 steps; make it simpler.");
        Schema schema = _documents[literal >> 1];
        List<Conjunct> result = (literal & 1) == 0 ? Positive(schema) : Negative(schema);
        _open.Remove(literal);
        return _known[literal] = result;
    }

    private List<Conjunct> Cross(List<Conjunct> left, List<Conjunct> right)
    {
        if (right is [Conjunct only] && ReferenceEquals(only, _any))
            return left;
        if (left is [Conjunct alone] && ReferenceEquals(alone, _any))
            return right;
        List<Conjunct> result = [];
        foreach (Conjunct a in left)
        {
            foreach (Conjunct b in right)
            {
                if (a.And(b, _regex) is { IsNothing: false } both)
                    result.Add(both);
            }
            if (result.Count > MostAlternatives)
                throw new StructureException($"#: the schema comes down to more than {MostAlternatives:N0} alternatives; make it simpler.");
        }
        return result;
    }

    private List<Conjunct> Positive(Schema schema)
    {
        if (schema.Element.ValueKind == JsonValueKind.True)
            return [_any];
        if (schema.Element.ValueKind == JsonValueKind.False)
            return [];
        if (schema.Has("$ref") && schema.Dialect == SchemaDialect.Older)
            return Expand(Literals.Of(_documents.Resolve(schema, "$ref")));
        RefuseUnknown(schema);
        List<Conjunct> all = Cross(Types(schema), [Plain(schema)]);
        if (schema.Has("enum"))
            all = Cross(all, Constants([.. Items(schema, "enum")]));
        if (schema.Has("const"))
            all = Cross(all, Constants([schema["const"]]));
        foreach (string keyword in new[] { "$ref", "$dynamicRef", "$recursiveRef" })
        {
            if (schema.Has(keyword))
                all = Cross(all, Expand(Literals.Of(_documents.Resolve(schema, keyword))));
        }
        foreach (Schema part in Schemas(schema, "allOf"))
            all = Cross(all, Expand(Literals.Of(part)));
        if (schema.Has("not"))
            all = Cross(all, Expand(Literals.Of(Below(schema, "not"), negative: true)));
        if (schema.Has("if") && (_seesEvaluated || schema.Has("then") || schema.Has("else")))
            all = Cross(all, IfThenElse(schema));
        all = CrossDependent(schema, all);
        if (schema.Has("anyOf"))
            all = Cross(all, AnyOf([.. Schemas(schema, "anyOf")]));
        if (schema.Has("oneOf"))
            all = OneOf(schema, all);
        return Unevaluated(schema, all);
    }

    private List<Conjunct> IfThenElse(Schema schema)
    {
        int condition = Literals.Of(Below(schema, "if"));
        List<Conjunct> then = schema.Has("then") ? Expand(Literals.Of(Below(schema, "then"))) : [_any];
        List<Conjunct> otherwise = schema.Has("else") ? Expand(Literals.Of(Below(schema, "else"))) : [_any];
        return [.. Cross(Expand(condition), then), .. Cross(Expand(condition ^ 1), otherwise)];
    }

    /// <summary>One of the alternatives; where it matters what was evaluated, also several of them at once.</summary>
    private List<Conjunct> AnyOf(Schema[] parts)
    {
        List<Conjunct> all = [.. parts.SelectMany(p => Expand(Literals.Of(p)))];
        if (!_seesEvaluated || parts.Length > 5)
            return all;
        for (int subset = 1; subset < 1 << parts.Length; subset++)
        {
            if ((subset & (subset - 1)) == 0)
                continue;
            int chosen = subset;
            all.AddRange(Expand(new Literals([.. parts.Where((_, i) => (chosen >> i & 1) != 0).Select(p => Literals.Of(p))])));
        }
        return all;
    }

    /// <summary>Each alternative without all others; where two exclude each other already, that is nothing more.</summary>
    private List<Conjunct> OneOf(Schema schema, List<Conjunct> around)
    {
        Schema[] parts = [.. Schemas(schema, "oneOf")];
        List<Conjunct> result = [];
        for (int i = 0; i < parts.Length; i++)
        {
            List<Conjunct> one = Cross(around, Expand(Literals.Of(parts[i])));
            for (int k = 0; k < parts.Length && one.Count > 0; k++)
            {
                if (k != i && !Exclude(one, Expand(Literals.Of(parts[k]))))
                    one = Cross(one, Expand(Literals.Of(parts[k], negative: true)));
            }
            result.AddRange(one);
        }
        return result;
    }

    /// <summary>Whether no value can satisfy both, as far as that is plain to see.</summary>
    private bool Exclude(List<Conjunct> left, List<Conjunct> right)
    {
        foreach (Conjunct a in left)
        {
            foreach (Conjunct b in right)
            {
                if (!IsImpossible(a.And(b, _regex), depth: 0))
                    return false;
            }
        }
        return true;
    }

    /// <summary>Whether there is no value, as far as its required properties tell.</summary>
    private bool IsImpossible(Conjunct c, int depth)
    {
        JsonTypes types = c.Types;
        if ((types & JsonTypes.Number) != 0 && _regex.IsEmpty(c.Numbers))
            types &= ~JsonTypes.Number;
        if ((types & JsonTypes.String) != 0 && _regex.IsEmpty(c.Strings))
            types &= ~JsonTypes.String;
        if (types != JsonTypes.Object || depth > 3)
            return types == JsonTypes.None;
        foreach (string name in c.Objects.Required)
        {
            Literals value = ObjectShape.ValueOf(c.Objects, name, _regex, _coding);
            if (value.Items.Length > 0 && Expand(value).All(v => IsImpossible(v, depth + 1)))
                return true;
        }
        return false;
    }

    private List<Conjunct> CrossDependent(Schema schema, List<Conjunct> all)
    {
        foreach (string keyword in new[] { "dependentSchemas", "dependencies" })
        {
            foreach (JsonProperty property in Properties(schema, keyword))
            {
                if (property.Value.ValueKind == JsonValueKind.Array)
                    continue;
                List<Conjunct> with = Expand(Literals.Of(_documents.Below(schema, property.Value, keyword, property.Name)));
                all = Cross(all, [.. Without(property.Name), .. with.Select(c => c.And(Has(property.Name), _regex)).Where(c => !c.IsNothing), _any with { Types = JsonTypes.All & ~JsonTypes.Object }]);
            }
        }
        return all;
    }

    /// <summary>Objects without a property.</summary>
    private List<Conjunct> Without(string name) => [_any with { Types = JsonTypes.Object, Objects = new ObjectRules { Properties = [new PropertyRules(new Dictionary<string, int> { [name] = Never }, [], null)] } }];

    /// <summary>Objects with a property.</summary>
    private Conjunct Has(string name) => _any with { Types = JsonTypes.Object, Objects = new ObjectRules { Required = [name] } };

    private int Never => Literals.Of(_documents.Made("false", "#"));

    /// <summary>unevaluatedProperties and unevaluatedItems see what all that was said in place has looked at.</summary>
    private List<Conjunct> Unevaluated(Schema schema, List<Conjunct> all)
    {
        if (schema.Has("unevaluatedProperties"))
        {
            int others = Literals.Of(Below(schema, "unevaluatedProperties"));
            all = all.ConvertAll(c =>
            {
                int seen = _regex.Or([.. c.Objects.Evaluated]);
                PropertyRules rules = new(new Dictionary<string, int>(), seen == RegexStore.Empty ? [] : [(_regex.Minus(_coding.AnyText, seen), others)], seen == RegexStore.Empty ? others : null);
                return c with { Objects = c.Objects with { Properties = [.. c.Objects.Properties, rules], Evaluated = [_coding.AnyText] } };
            });
        }
        if (!schema.Has("unevaluatedItems"))
            return all;
        int rest = Literals.Of(Below(schema, "unevaluatedItems"));
        int always = Literals.Of(_documents.Made("true", "#"));
        return all.ConvertAll(c =>
        {
            if (c.Arrays.Counts.Count > 0)
                throw schema.Refused("unevaluatedItems", "cannot be enforced beside contains.");
            ItemRules? rules = c.Arrays.Evaluated == int.MaxValue ? null : new ItemRules([.. Enumerable.Repeat(always, c.Arrays.Evaluated)], rest);
            return c with { Arrays = c.Arrays with { Items = rules is null ? c.Arrays.Items : [.. c.Arrays.Items, rules], Evaluated = int.MaxValue } };
        });
    }

    private Schema Below(Schema schema, string keyword) => _documents.Below(schema, schema[keyword], keyword);

    private IEnumerable<Schema> Schemas(Schema schema, string keyword)
    {
        int i = 0;
        foreach (JsonElement item in Items(schema, keyword))
            yield return _documents.Below(schema, item, keyword, $"{i++}");
    }

    private static List<JsonElement> Items(Schema schema, string keyword)
    {
        JsonElement value = schema[keyword];
        return value.ValueKind switch
        {
            JsonValueKind.Array => [.. value.EnumerateArray()],
            JsonValueKind.Undefined => [],
            _ => throw schema.Refused(keyword, "expected a list."),
        };
    }

    private static List<JsonProperty> Properties(Schema schema, string keyword)
    {
        JsonElement value = schema[keyword];
        return value.ValueKind switch
        {
            JsonValueKind.Object => [.. value.EnumerateObject()],
            JsonValueKind.Undefined => [],
            _ => throw schema.Refused(keyword, "expected an object."),
        };
    }
}
