using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>Numbers of JSON nodes, whatever type they were made with.</summary>
internal static class JsonNumber
{
    /// <summary>The number of a node, or null where it is none.</summary>
    public static double? Of(JsonNode? node)
    {
        if (node?.GetValueKind() != JsonValueKind.Number)
            return null;
        return node.AsValue().TryGetValue(out double number) ? number : double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture);
    }

    /// <summary>The whole number of a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="what">What it is, for the message.</param>
    /// <exception cref="InvalidDataException">It is no whole number of 32 bits.</exception>
    public static int Whole(JsonNode? node, string what) => Of(node) is { } number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue
        ? (int)number
        : throw new InvalidDataException($"{what} is {node?.ToJsonString() ?? "null"}; it has to be a whole number.");
}
