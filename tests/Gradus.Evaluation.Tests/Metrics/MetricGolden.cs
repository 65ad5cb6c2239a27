using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Metrics;

/// <summary>Marks the test class that checks a folder of the golden area "metrics", and the files it reads there.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class GoldenFolderAttribute(string folder, params string[] files) : Attribute
{
    public string Folder { get; } = folder;

    public string[] Files { get; } = files;
}

/// <summary>The golden area "metrics": finding and reading its files.</summary>
internal static class MetricGolden
{
    /// <summary>The root of a golden file. The document is never disposed: it lives as long as the tests.</summary>
    public static JsonElement Read(string folder, string file = "expected.json")
    {
        string path = SharedFolder.Find("golden", "metrics", folder, file)
            ?? throw new FileNotFoundException($"golden/metrics/{folder}/{file} is missing in the shared folder.");
        return JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
    }

    /// <summary>The names of an object's properties, or nothing where the shared folder is absent.</summary>
    public static TheoryData<string> Names(string folder, params string[] path)
    {
        TheoryData<string> names = [];
        if (SharedFolder.Find("golden", "metrics", folder) is null)
            return names;
        JsonElement element = Read(folder);
        foreach (string key in path)
            element = element.GetProperty(key);
        foreach (JsonProperty property in element.EnumerateObject())
            names.Add(property.Name);
        return names;
    }

    public static double[] Doubles(this JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetDouble())];

    public static int[] Ints(this JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetInt32())];

    public static string[] Strings(this JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetString()!)];

    public static (string Prediction, string Reference)[] Pairs(this JsonElement root)
        => [.. root.GetProperty("pairs").EnumerateArray().Select(p => (p.GetProperty("prediction").GetString()!, p.GetProperty("reference").GetString()!))];

    public static void Near(double expected, double actual, double tolerance, string what)
        => Assert.True(Math.Abs(expected - actual) <= tolerance, $"{what}: expected {expected:R}, got {actual:R}");
}

public sealed class GoldenCoverageTests
{
    [SharedFact("golden", "metrics")]
    public void EveryGoldenFolderAndFileHasATestClass()
    {
        var handled = typeof(GoldenCoverageTests).Assembly.GetTypes()
            .SelectMany(type => type.GetCustomAttributes(typeof(GoldenFolderAttribute), false).Cast<GoldenFolderAttribute>())
            .SelectMany(a => a.Files.Select(file => $"{a.Folder}/{file}"))
            .ToHashSet();
        string root = SharedFolder.Find("golden", "metrics")!;
        IEnumerable<string> present = Directory.GetFiles(root, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path).Replace('\\', '/'))
            .Where(path => Path.GetFileName(path) != "README.md");
        Assert.All(present, path => Assert.Contains(path, handled));
    }
}
