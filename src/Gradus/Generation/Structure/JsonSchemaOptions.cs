using System.Text.Json;

namespace Gradus.Generation.Structure;

/// <summary>How a JSON Schema is read, and how its JSON may be written.</summary>
/// <param name="AssertFormats">Whether <c>format</c> must hold, as most people mean it; a remark otherwise, as draft 2020-12 has it.</param>
/// <param name="MaxIndent">The most spaces or tabs at the start of a line, 0 to 200; 0 allows no white space at all.</param>
public sealed record JsonSchemaOptions(bool AssertFormats = true, int MaxIndent = 40)
{
    /// <summary>Schemas that the schema refers to, by their addresses; nothing is fetched.</summary>
    public IReadOnlyDictionary<string, JsonElement> Documents { get; init; } = new Dictionary<string, JsonElement>();

    internal void Check()
    {
        if (MaxIndent is < 0 or > 200)
            throw new ArgumentOutOfRangeException(nameof(MaxIndent), MaxIndent, "MaxIndent lies between 0 and 200.");
    }
}
