using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Configuration;

/// <summary>
/// A configuration for people: as a recipe in which every key stands under a comment that says what it is, and as the list of its keys for a
/// verb's help. The words are those of the records' XML documentation.
/// </summary>
internal sealed class CommentedRecipe
{
    private const int Width = 110;

    // Configurations of models have the keys of Hugging Face's config.json, too many for a help.
    private const int MostKeysOfAKind = 14;

    private static readonly Origin Nowhere = new(new ConfigurationSource("defaults"));
    private readonly XmlDescriptions _descriptions = new(AppContext.BaseDirectory);
    private readonly StringBuilder _text = new();

    private CommentedRecipe()
    {
    }

    /// <summary>The recipe's text: JSON with comments, which every recipe may have.</summary>
    /// <param name="type">The record's source-generated metadata.</param>
    /// <param name="value">The configuration.</param>
    /// <param name="heading">What stands above it.</param>
    public static string Write(JsonTypeInfo type, object value, string heading)
    {
        CommentedRecipe recipe = new();
        recipe.Comment(heading, "");
        recipe.Value(ConfigurationTree.Root(type), ConfigurationTree.Root(type).Serialize(value, Nowhere), "");
        return recipe._text.Append('\n').ToString();
    }

    /// <summary>A line for every key: its path, usual value and meaning.</summary>
    /// <param name="type">The record's source-generated metadata.</param>
    /// <param name="value">The usual values.</param>
    public static IReadOnlyList<(string Key, string Meaning)> Keys(JsonTypeInfo type, object value)
    {
        ConfigurationType root = ConfigurationTree.Root(type);
        List<(string, string)> keys = [];
        new CommentedRecipe().AddKeys(root, root.Serialize(value, Nowhere), "", keys);
        return keys;
    }

    private void AddKeys(ConfigurationType record, ConfigurationNode node, string path, List<(string, string)> keys)
    {
        foreach (ConfigurationProperty property in record.Properties.Values)
        {
            string key = path + property.Name;
            ConfigurationNode? value = node.Members.GetValueOrDefault(property.Name);
            string meaning = _descriptions.Of(property) ?? "";
            if (property.Type.Shape == ValueShape.Record && value is { Kind: JsonValueKind.Object })
            {
                AddKeys(property.Type, value, key + ".", keys);
            }
            else if (property.Type.Shape == ValueShape.Kinds && value is { Kind: JsonValueKind.Object })
            {
                ConfigurationType kind = KindOf(property.Type, value, out string name);
                keys.Add(($"{key}.{property.Type.Discriminator} = {name}", $"{meaning} One of {string.Join(", ", property.Type.Kinds.Keys)}."));
                if (kind.Properties.Count <= MostKeysOfAKind)
                    AddKeys(kind, value, key + ".", keys);
            }
            else
            {
                string usual = value is null || value.Kind == JsonValueKind.Null || value is { Kind: JsonValueKind.String, Text: "" } or { Kind: JsonValueKind.Array, Items.Count: 0 } or { Kind: JsonValueKind.Object, Members.Count: 0 }
                    ? "" : $" = {Text(value)}";
                keys.Add((key + usual, meaning));
            }
        }
    }

    private void Value(ConfigurationType type, ConfigurationNode node, string indent)
    {
        switch (type.Shape)
        {
            case ValueShape.Record when node.Kind == JsonValueKind.Object:
                Object(type, null, node, indent);
                break;
            case ValueShape.Kinds when node.Kind == JsonValueKind.Object:
                ConfigurationType kind = KindOf(type, node, out string name);
                Object(kind, (type.Discriminator, name), node, indent);
                break;
            case ValueShape.List when node.Items.Count > 0 && !type.Element.IsScalar:
                _text.Append("[\n");
                for (int i = 0; i < node.Items.Count; i++)
                {
                    _text.Append(indent).Append("  ");
                    Value(type.Element, node.Items[i], indent + "  ");
                    _text.Append(i + 1 < node.Items.Count ? ",\n" : "\n");
                }
                _text.Append(indent).Append(']');
                break;
            default:
                _text.Append(Text(node));
                break;
        }
    }

    private void Object(ConfigurationType record, (string Key, string Value)? kind, ConfigurationNode node, string indent)
    {
        string inner = indent + "  ";
        _text.Append("{\n");
        // A key that is not written where it has no value has none.
        ConfigurationProperty[] written = [.. record.Properties.Values.Where(p => node.Members.ContainsKey(p.Name))];
        if (kind is { } named)
            _text.Append(inner).Append($"\"{named.Key}\": \"{named.Value}\"{(written.Length > 0 ? "," : "")}\n");
        int left = written.Length;
        foreach (ConfigurationProperty property in written)
        {
            Comment(_descriptions.Of(property), inner);
            _text.Append(inner).Append('"').Append(property.Name).Append("\": ");
            Value(property.Type, node.Members[property.Name], inner);
            _text.Append(--left > 0 ? ",\n" : "\n");
        }
        _text.Append(indent).Append('}');
    }

    private static ConfigurationType KindOf(ConfigurationType type, ConfigurationNode node, out string name)
    {
        name = node.Members[type.Discriminator].Text;
        return type.Kinds[name];
    }

    private static string Text(ConfigurationNode node) => Encoding.UTF8.GetString(node.ToUtf8());

    private void Comment(string? text, string indent)
    {
        StringBuilder line = new();
        foreach (string word in (text ?? "").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && indent.Length + line.Length + word.Length > Width)
                Flush();
            line.Append(line.Length == 0 ? "//" : "").Append(' ').Append(word);
        }
        if (line.Length > 0)
            Flush();

        void Flush()
        {
            _text.Append(indent).Append(line).Append('\n');
            line.Clear();
        }
    }
}
