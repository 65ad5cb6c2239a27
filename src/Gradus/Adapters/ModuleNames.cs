using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Adapters;

/// <summary>
/// Layers by their names, as adapter_config.json writes them: a list of names (the end of a layer's path, or all of it), or one
/// string, which is a regular expression that the whole path must match.
/// </summary>
/// <param name="Values">The names, or the one expression.</param>
/// <param name="IsPattern">Whether it is an expression.</param>
[JsonConverter(typeof(Converter))]
public sealed record ModuleNames(IReadOnlyList<string> Values, bool IsPattern = false)
{
    /// <summary>The word that stands for all linear layers but the output head.</summary>
    public const string AllLinearWord = "all-linear";

    /// <summary>All linear layers but the output head.</summary>
    public static ModuleNames AllLinear { get; } = new([AllLinearWord], IsPattern: true);

    /// <summary>Whether this is <see cref="AllLinear"/>, in upper or lower case.</summary>
    public bool IsAllLinear => IsPattern && MeansAllLinear(Values[0]);

    /// <summary>Whether all linear layers are among the names: the word alone, or in a list beside others.</summary>
    internal bool HasAllLinear => IsAllLinear || (!IsPattern && Values.Any(MeansAllLinear));

    /// <summary>Names without an expression.</summary>
    public static ModuleNames Of(params string[] names) => new(names);

    internal static bool MeansAllLinear(string name) => string.Equals(name, AllLinearWord, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public bool Equals(ModuleNames? other) => other is not null && other.IsPattern == IsPattern && Values.SequenceEqual(other.Values);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(IsPattern ? 1 : 0, HashCode.Combine);

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", Values);

    internal sealed class Converter : JsonConverter<ModuleNames>
    {
        public override ModuleNames Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
                return new ModuleNames([reader.GetString()!], IsPattern: true);
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new JsonException("expected a string or a list of strings");
            List<string> names = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.String)
                names.Add(reader.GetString()!);
            return reader.TokenType == JsonTokenType.EndArray
                ? new ModuleNames(names)
                : throw new JsonException("expected a list of strings");
        }

        public override void Write(Utf8JsonWriter writer, ModuleNames value, JsonSerializerOptions options)
        {
            if (value.IsPattern)
            {
                writer.WriteStringValue(value.Values[0]);
                return;
            }
            writer.WriteStartArray();
            foreach (string name in value.Values)
                writer.WriteStringValue(name);
            writer.WriteEndArray();
        }
    }
}

/// <summary>One layer's number or several: adapter_config.json writes either a number or a list.</summary>
/// <param name="Values">The numbers, from 0.</param>
[JsonConverter(typeof(Converter))]
public sealed record LayerNumbers(IReadOnlyList<int> Values)
{
    /// <inheritdoc/>
    public bool Equals(LayerNumbers? other) => other is not null && Values.SequenceEqual(other.Values);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(Values.Count, HashCode.Combine);

    internal sealed class Converter : JsonConverter<LayerNumbers>
    {
        public override LayerNumbers Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Number)
                return new LayerNumbers([reader.GetInt32()]);
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new JsonException("expected a number or a list of numbers");
            List<int> numbers = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.Number)
                numbers.Add(reader.GetInt32());
            return reader.TokenType == JsonTokenType.EndArray
                ? new LayerNumbers(numbers)
                : throw new JsonException("expected a list of numbers");
        }

        public override void Write(Utf8JsonWriter writer, LayerNumbers value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (int number in value.Values)
                writer.WriteNumberValue(number);
            writer.WriteEndArray();
        }
    }
}
