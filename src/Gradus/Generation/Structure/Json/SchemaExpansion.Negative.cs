using System.Text.Json;

namespace Gradus.Generation.Structure.Json;

/// <content>The values that do not satisfy a schema: those that break one of its keywords.</content>
internal sealed partial class SchemaExpansion
{
    private List<Conjunct> Negative(Schema schema)
    {
        if (schema.Element.ValueKind == JsonValueKind.True)
            return [];
        if (schema.Element.ValueKind == JsonValueKind.False)
            return [_any];
        if (schema.Has("$ref") && schema.Dialect == SchemaDialect.Older)
            return Expand(Literals.Of(_documents.Resolve(schema, "$ref"), negative: true));
        RefuseUnknown(schema);
        List<Conjunct> all = [.. NotTypes(schema), .. NotConstants(schema), .. NotScalars(schema), .. NotArrays(schema), .. NotObjects(schema), .. NotApplicators(schema)];
        // What does not hold has looked at nothing.
        all = all.ConvertAll(c => c with { Arrays = c.Arrays with { Evaluated = 0 }, Objects = c.Objects with { Evaluated = [] } });
        return all.Count > MostAlternatives ? throw new StructureException($"{schema.Path}: what does not satisfy it comes down to more than {MostAlternatives:N0} alternatives; make it simpler.") : all;
    }

    private Conjunct OfType(JsonTypes type) => _any with { Types = type };

    private IEnumerable<Conjunct> NotTypes(Schema schema)
    {
        if (!schema.Has("type"))
            yield break;
        Conjunct types = Types(schema)[0];
        if (types.Types != JsonTypes.All)
            yield return OfType(JsonTypes.All & ~types.Types);
        if ((types.Types & JsonTypes.Number) != 0 && types.Numbers != _numbers.All)
            yield return OfType(JsonTypes.Number) with { Numbers = _regex.Minus(_numbers.All, types.Numbers) };
    }

    private IEnumerable<Conjunct> NotConstants(Schema schema)
    {
        foreach (string keyword in new[] { "enum", "const" })
        {
            if (!schema.Has(keyword))
                continue;
            List<JsonElement> values = keyword == "enum" ? [.. Items(schema, "enum")] : [schema["const"]];
            (JsonTypes types, int numbers, int strings) = Scalars(values);
            JsonTypes others = (JsonTypes.Null | JsonTypes.True | JsonTypes.False) & ~types;
            yield return OfType(others | JsonTypes.Number | JsonTypes.String) with
            {
                Numbers = _regex.Minus(_numbers.All, numbers),
                Strings = _regex.Minus(_coding.AnyText, strings),
            };
            foreach ((JsonValueKind kind, JsonTypes type) in new[] { (JsonValueKind.Array, JsonTypes.Array), (JsonValueKind.Object, JsonTypes.Object) })
            {
                List<Conjunct> rest = [OfType(type)];
                foreach (JsonElement value in values.Where(v => v.ValueKind == kind))
                    rest = Cross(rest, Expand(Structure(value) ^ 1));
                foreach (Conjunct conjunct in rest)
                    yield return conjunct;
            }
        }
    }

    private IEnumerable<Conjunct> NotScalars(Schema schema)
    {
        foreach (string keyword in NumberKeywords)
        {
            if (NumberLimit(schema, keyword) is { } limit)
                yield return OfType(JsonTypes.Number) with { Numbers = _regex.Minus(_numbers.All, limit) };
        }
        if (Strings(schema) is var strings && strings != _coding.AnyText)
            yield return OfType(JsonTypes.String) with { Strings = _regex.Minus(_coding.AnyText, strings) };
    }

    private IEnumerable<Conjunct> NotArrays(Schema schema)
    {
        ArrayRules rules = Arrays(schema);
        Conjunct With(ArrayRules arrays) => OfType(JsonTypes.Array) with { Arrays = arrays };
        if (rules.Unique is { } path)
            throw new StructureException($"{path}: that items are not all different cannot be enforced.");
        if (schema.Has("unevaluatedItems"))
            throw schema.Refused("unevaluatedItems", "cannot be enforced under not or oneOf.");
        if (rules.Min > 0)
            yield return With(new ArrayRules { Max = rules.Min - 1 });
        if (rules.Max != int.MaxValue)
            yield return With(new ArrayRules { Min = rules.Max + 1 });
        foreach (ItemRules items in rules.Items)
        {
            for (int i = 0; i < items.First.Count; i++)
            {
                int[] first = [.. Enumerable.Repeat(Literals.Of(_documents.Made("true", "#")), i), items.First[i] ^ 1];
                yield return With(new ArrayRules { Min = i + 1, Items = [new ItemRules(first, null)] });
            }
            if (items.Others is { } others)
                yield return With(new ArrayRules { Counts = [new ItemCount(others ^ 1, items.First.Count, 1, int.MaxValue)] });
        }
        foreach (ItemCount count in rules.Counts)
        {
            if (count.Min > 0)
                yield return With(new ArrayRules { Counts = [count with { Min = 0, Max = count.Min - 1 }] });
            if (count.Max != int.MaxValue)
                yield return With(new ArrayRules { Counts = [count with { Min = count.Max + 1, Max = int.MaxValue }] });
        }
    }

    private IEnumerable<Conjunct> NotObjects(Schema schema)
    {
        ObjectRules rules = Objects(schema);
        Conjunct With(ObjectRules objects) => OfType(JsonTypes.Object) with { Objects = objects };
        if (schema.Has("unevaluatedProperties"))
            throw schema.Refused("unevaluatedProperties", "cannot be enforced under not or oneOf.");
        foreach (string name in rules.Required)
            yield return Without(name)[0];
        if (rules.Min > 0)
            yield return With(new ObjectRules { Max = rules.Min - 1 });
        if (rules.Max != int.MaxValue)
            yield return With(new ObjectRules { Min = rules.Max + 1 });
        if (rules.Names is { } names)
            yield return With(new ObjectRules { Some = [(_regex.Minus(_coding.AnyText, names), Literals.Of(_documents.Made("true", "#")))] });
        foreach ((string name, string[] needs) in rules.Dependent)
        {
            foreach (string need in needs)
                yield return Has(name).And(Without(need)[0], _regex);
        }
        foreach (PropertyRules properties in rules.Properties)
        {
            foreach ((string name, int value) in properties.Named)
                yield return With(new ObjectRules { Required = [name], Properties = [new PropertyRules(new Dictionary<string, int> { [name] = value ^ 1 }, [], null)] });
            foreach ((int pattern, int value) in properties.Patterned)
                yield return With(new ObjectRules { Some = [(pattern, value ^ 1)] });
            if (properties.Others is { } others)
            {
                int rest = _regex.Minus(_coding.AnyText, _regex.Or([_coding.Literals([.. properties.Named.Keys]), .. properties.Patterned.Select(p => p.Names)]));
                yield return With(new ObjectRules { Some = [(rest, others ^ 1)] });
            }
        }
    }

    private List<Conjunct> NotApplicators(Schema schema)
    {
        List<Conjunct> all = [];
        foreach (string keyword in new[] { "$ref", "$dynamicRef", "$recursiveRef" })
        {
            if (schema.Has(keyword))
                all.AddRange(Expand(Literals.Of(_documents.Resolve(schema, keyword), negative: true)));
        }
        foreach (Schema part in Schemas(schema, "allOf"))
            all.AddRange(Expand(Literals.Of(part, negative: true)));
        if (schema.Has("not"))
            all.AddRange(Expand(Literals.Of(Below(schema, "not"))));
        if (schema.Has("anyOf"))
            all.AddRange(NoneOf([.. Schemas(schema, "anyOf")]));
        if (schema.Has("oneOf"))
        {
            Schema[] parts = [.. Schemas(schema, "oneOf")];
            all.AddRange(NoneOf(parts));
            for (int i = 0; i < parts.Length; i++)
            {
                for (int k = i + 1; k < parts.Length; k++)
                    all.AddRange(Cross(Expand(Literals.Of(parts[i])), Expand(Literals.Of(parts[k]))));
            }
        }
        if (schema.Has("if"))
        {
            int condition = Literals.Of(Below(schema, "if"));
            if (schema.Has("then"))
                all.AddRange(Cross(Expand(condition), Expand(Literals.Of(Below(schema, "then"), negative: true))));
            if (schema.Has("else"))
                all.AddRange(Cross(Expand(condition ^ 1), Expand(Literals.Of(Below(schema, "else"), negative: true))));
        }
        foreach (string keyword in new[] { "dependentSchemas", "dependencies" })
        {
            foreach (JsonProperty property in Properties(schema, keyword).Where(p => p.Value.ValueKind != JsonValueKind.Array))
                all.AddRange(Cross([Has(property.Name)], Expand(Literals.Of(_documents.Below(schema, property.Value, keyword, property.Name), negative: true))));
        }
        return all;
    }

    private List<Conjunct> NoneOf(Schema[] parts)
    {
        List<Conjunct> all = [_any];
        foreach (Schema part in parts)
            all = Cross(all, Expand(Literals.Of(part, negative: true)));
        return all;
    }
}
