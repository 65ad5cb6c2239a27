using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Adapters;

/// <summary>One of a few choices of which PEFT writes the first two as true and false, the others as words.</summary>
internal interface IFlagOrWord<T>
    where T : class, IFlagOrWord<T>
{
    /// <summary>What files call it: <c>true</c>, <c>false</c> or a word.</summary>
    string Name { get; }

    /// <summary>The choice of a name.</summary>
    /// <exception cref="JsonException">There is none of this name.</exception>
    static abstract T Parse(string name);

    /// <summary>The choice of a name among all, of which true and false are the first.</summary>
    /// <exception cref="JsonException">There is none of this name.</exception>
    static T Among(IReadOnlyList<T> all, string name) => all.FirstOrDefault(c => c.Name == name) ?? throw new JsonException(
        $"\"{name}\" is not supported; expected {string.Join(", ", ((string[])["true", "false", .. all.Skip(2).Select(c => $"\"{c.Name}\"")]).SkipLast(1))} or \"{all[^1].Name}\"");
}

/// <summary>Reads and writes an <see cref="IFlagOrWord{T}"/>.</summary>
internal sealed class FlagOrWordConverter<T> : JsonConverter<T>
    where T : class, IFlagOrWord<T>
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.True => T.Parse("true"),
        JsonTokenType.False => T.Parse("false"),
        JsonTokenType.String => T.Parse(reader.GetString()!),
        _ => throw new JsonException("expected true, false or a name"),
    };

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        if (bool.TryParse(value.Name, out bool flag))
            writer.WriteBooleanValue(flag);
        else
            writer.WriteStringValue(value.Name);
    }
}
