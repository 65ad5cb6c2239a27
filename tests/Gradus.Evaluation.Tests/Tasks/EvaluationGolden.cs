using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Tasks;

/// <summary>The golden area "evaluation": lm-evaluation-harness' requests, scores, filters, encodings and templates.</summary>
internal static class EvaluationGolden
{
    public static string Folder(params string[] parts) => SharedFolder.Find(["golden", "evaluation", .. parts])
        ?? throw new FileNotFoundException($"golden/evaluation/{string.Join('/', parts)} is missing in the shared folder.");

    public static TheoryData<string> Cases(string area)
    {
        TheoryData<string> names = [];
        foreach (string name in SharedFolder.GoldenCases("evaluation", area))
            names.Add(name);
        return names;
    }

    public static JsonNode Read(params string[] parts) => JsonNode.Parse(File.ReadAllBytes(Folder(parts)))!;

    public static JsonObject[] Lines(params string[] parts) =>
        [.. File.ReadLines(Folder(parts)).Where(l => l.Length > 0).Select(l => (JsonObject)JsonNode.Parse(l)!)];

    /// <summary>A number, or one of the names that stand for what JSON lacks.</summary>
    public static double Number(JsonNode? node) => node!.GetValueKind() switch
    {
        JsonValueKind.True => 1,
        JsonValueKind.False => 0,
        JsonValueKind.String => (string)node! switch { "NaN" => double.NaN, "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, string other => throw new FormatException(other) },
        _ => double.Parse(node.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture),
    };

    public static void Near(double expected, double actual, double tolerance, string what)
    {
        if (double.IsNaN(expected) && double.IsNaN(actual))
            return;
        Assert.True(expected.Equals(actual) || Math.Abs(expected - actual) <= tolerance * Math.Max(1e-300, Math.Abs(expected)), $"{what}: expected {expected:R}, got {actual:R}");
    }

    /// <summary>Equal as JSON, where numbers are equal by value.</summary>
    public static void Same(JsonNode? expected, JsonNode? actual, string what)
    {
        switch (expected)
        {
            case null:
                Assert.True(actual is null, $"{what}: expected null, got {actual?.ToJsonString()}");
                return;
            case JsonArray list:
                Assert.True(actual is JsonArray other && other.Count == list.Count, $"{what}: expected {list.ToJsonString()}, got {actual?.ToJsonString()}");
                for (int i = 0; i < list.Count; i++)
                    Same(list[i], ((JsonArray)actual!)[i], $"{what}[{i}]");
                return;
            case JsonObject map:
                Assert.True(actual is JsonObject second && second.Count == map.Count, $"{what}: expected {map.ToJsonString()}, got {actual?.ToJsonString()}");
                foreach ((string key, JsonNode? value) in map)
                    Same(value, ((JsonObject)actual!)[key], $"{what}.{key}");
                return;
            default:
                if (expected.GetValueKind() == JsonValueKind.Number && actual?.GetValueKind() == JsonValueKind.Number)
                    Near(Number(expected), Number(actual), 0, what);
                else
                    Assert.True(expected.GetValueKind() == actual?.GetValueKind() && expected.ToString() == actual.ToString(), $"{what}: expected {expected.ToJsonString()}, got {actual?.ToJsonString()}");
                return;
        }
    }
}
