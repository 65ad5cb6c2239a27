using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>One token id or several: config.json writes either a number or a list.</summary>
[JsonConverter(typeof(Converter))]
public sealed record TokenIds(IReadOnlyList<int> Values)
{
    /// <summary>Whether an id is among them.</summary>
    public bool Contains(int id) => Values.Contains(id);

    /// <summary>A single id.</summary>
    public static implicit operator TokenIds(int id) => new([id]);

    /// <inheritdoc/>
    public bool Equals(TokenIds? other) => other is not null && Values.SequenceEqual(other.Values);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(Values.Count, HashCode.Combine);

    /// <summary>Reads a number or a list, writes a number where there is one.</summary>
    public sealed class Converter : JsonConverter<TokenIds>
    {
        /// <inheritdoc/>
        public override TokenIds Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.Number)
                return new TokenIds([reader.GetInt32()]);
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new JsonException("expected a token id or a list of token ids");
            List<int> ids = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.Number)
                ids.Add(reader.GetInt32());
            return reader.TokenType == JsonTokenType.EndArray
                ? new TokenIds(ids)
                : throw new JsonException("expected a list of token ids");
        }

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, TokenIds value, JsonSerializerOptions options)
        {
            if (value.Values.Count == 1)
            {
                writer.WriteNumberValue(value.Values[0]);
                return;
            }
            writer.WriteStartArray();
            foreach (int id in value.Values)
                writer.WriteNumberValue(id);
            writer.WriteEndArray();
        }
    }
}
