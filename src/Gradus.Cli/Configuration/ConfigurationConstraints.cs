// Ranges are attributes of the base class library ([Range], [MinLength]) and rules across keys are its IValidatableObject, so a
// record in any room can carry them without knowing the command line.
using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json;

namespace Gradus.Cli.Configuration;

/// <summary>Checks a resolved tree: missing keys, ranges, least lengths; then the rules that records check themselves.</summary>
/// <param name="problems">Where problems go.</param>
internal sealed class ConfigurationConstraints(ConfigurationProblems problems)
{
    /// <summary>Checks a tree whose types are right.</summary>
    /// <param name="type">The type of the value.</param>
    /// <param name="node">The value.</param>
    /// <param name="path">Its path.</param>
    /// <param name="range">The range of the number, or of every number in an array or dictionary.</param>
    /// <param name="minLength">The least length of the string or array; not of the strings in it.</param>
    public void Check(ConfigurationType type, ConfigurationNode node, string path, RangeAttribute? range = null, int minLength = 0)
    {
        if (node.Kind == JsonValueKind.Null)
            return;
        switch (type.Shape)
        {
            case ValueShape.Record or ValueShape.Kinds:
                CheckMembers(type.Shape == ValueShape.Kinds ? type.Kinds[node.Members[type.Discriminator].Text] : type, node, path);
                break;
            case ValueShape.Map:
                foreach ((string key, ConfigurationNode value) in node.Members)
                    Check(type.Element, value, ConfigurationMerge.Join(path, key), range);
                break;
            case ValueShape.List:
                if (minLength > node.Items.Count)
                    problems.Add(node.Origin, path, $"needs at least {Count(minLength, "element")}, got {node.Items.Count}");
                for (int i = 0; i < node.Items.Count; i++)
                    Check(type.Element, node.Items[i], ConfigurationMerge.Join(path, $"{i}"), range);
                break;
            case ValueShape.Integer or ValueShape.Number when range is not null:
                if (!Bounds.Of(range).Contain(double.Parse(node.Text, CultureInfo.InvariantCulture)))
                    problems.Add(node.Origin, path, $"must be {Bounds.Of(range)}, got {node}");
                break;
            case ValueShape.Text when minLength > node.Text.Length:
                problems.Add(node.Origin, path, $"needs at least {Count(minLength, "character")}, got {node}");
                break;
        }
    }

    private void CheckMembers(ConfigurationType record, ConfigurationNode node, string path)
    {
        foreach (ConfigurationProperty property in record.Properties.Values)
        {
            string inner = ConfigurationMerge.Join(path, property.Name);
            if (node.Members.TryGetValue(property.Name, out ConfigurationNode? value))
                Check(property.Type, value, inner, property.Range, property.MinLength);
            else if (property.Required)
                problems.Add(node.Origin, inner, $"missing; expected {property.Type.Expected}");
        }
    }

    /// <summary>Asks every record of a deserialized tree that has rules of its own (<see cref="IValidatableObject"/>).</summary>
    /// <param name="type">The type of the value.</param>
    /// <param name="value">The value; null has no rules.</param>
    /// <param name="node">The tree it came from, for origins; null where the tree has no such node.</param>
    /// <param name="fallback">The origin where <paramref name="node"/> is null.</param>
    /// <param name="path">Its path.</param>
    public void CheckRules(ConfigurationType type, object? value, ConfigurationNode? node, Origin fallback, string path)
    {
        if (value is null)
            return;
        Origin origin = node?.Origin ?? fallback;
        switch (type.Shape)
        {
            case ValueShape.Record or ValueShape.Kinds:
                ConfigurationType record = type.Shape == ValueShape.Kinds ? type.Kinds.Values.First(k => k.Type == value.GetType()) : type;
                if (value is IValidatableObject rules)
                    CheckRules(record, rules, node, origin, path);
                foreach (ConfigurationProperty property in record.Properties.Values)
                {
                    CheckRules(property.Type, property.Get(value), node?.Members.GetValueOrDefault(property.Name), origin,
                        ConfigurationMerge.Join(path, property.Name));
                }
                break;
            case ValueShape.Map when value is IDictionary map:
                foreach (DictionaryEntry entry in map)
                {
                    string key = (string)entry.Key;
                    CheckRules(type.Element, entry.Value, node?.Members.GetValueOrDefault(key), origin, ConfigurationMerge.Join(path, key));
                }
                break;
            case ValueShape.List when value is IEnumerable list && !type.Element.IsScalar:
                int i = 0;
                foreach (object? item in list)
                {
                    CheckRules(type.Element, item, i < node?.Items.Count ? node.Items[i] : null, origin, ConfigurationMerge.Join(path, $"{i}"));
                    i++;
                }
                break;
        }
    }

    private void CheckRules(ConfigurationType record, IValidatableObject rules, ConfigurationNode? node, Origin origin, string path)
    {
        foreach (ValidationResult result in rules.Validate(new ValidationContext(rules, record.Type.Name, null, null)))
        {
            // The rule names C# members; the message shows the key of the first and stands where that was given.
            string? member = result.MemberNames.FirstOrDefault();
            ConfigurationProperty? property = record.Properties.Values.FirstOrDefault(p => p.MemberName == member);
            Origin place = property is null ? origin : node?.Members.GetValueOrDefault(property.Name)?.Origin ?? origin;
            problems.Add(place, property is null ? path : ConfigurationMerge.Join(path, property.Name), result.ErrorMessage ?? "is not valid");
        }
    }

    private static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}

/// <summary>The bounds of a <see cref="RangeAttribute"/>; a bound at the end of <c>int</c> or <c>double</c> is none.</summary>
/// <param name="Least">The lower bound, or null.</param>
/// <param name="Most">The upper bound, or null.</param>
/// <param name="LeastExcluded">Whether the lower bound itself is outside.</param>
/// <param name="MostExcluded">Whether the upper bound itself is outside.</param>
internal readonly record struct Bounds(double? Least, double? Most, bool LeastExcluded, bool MostExcluded)
{
    /// <summary>The bounds of an attribute.</summary>
    public static Bounds Of(RangeAttribute range)
    {
        double least = Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture), most = Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture);
        return new(
            least is int.MinValue or <= double.MinValue ? null : least,
            most is int.MaxValue or >= double.MaxValue ? null : most,
            range.MinimumIsExclusive, range.MaximumIsExclusive);
    }

    /// <summary>Whether a value is inside.</summary>
    public bool Contain(double value)
    {
        return (Least is not { } least || (LeastExcluded ? value > least : value >= least))
            && (Most is not { } most || (MostExcluded ? value < most : value <= most));
    }

    /// <summary>The bounds in words: <c>from 0 to 1</c>, <c>more than 0 and less than 1</c>, <c>at least 1</c>.</summary>
    public override string ToString()
    {
        if (Least is not null && Most is not null && !LeastExcluded && !MostExcluded)
            return string.Create(CultureInfo.InvariantCulture, $"from {Least} to {Most}");
        string least = Least is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{(LeastExcluded ? "more than" : "at least")} {Least}");
        string most = Most is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{(MostExcluded ? "less than" : "at most")} {Most}");
        return least.Length > 0 && most.Length > 0 ? $"{least} and {most}" : least + most;
    }
}
