using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Gradus.Generation.Structure;
using Gradus.Testing;

namespace Gradus.Tests.Generation.Structure;

/// <summary>
/// The JSON Schema Test Suite: what is not refused by its path accepts every valid instance, however it is spaced, and no invalid one.
/// Formats are asserted, but for the file that says they are remarks.
/// </summary>
public sealed class JsonSchemaSuiteTests
{
    // Compact with escapes, and indented without.
    private static readonly JsonSerializerOptions[] Styles =
    [
        new() { TypeInfoResolver = new DefaultJsonTypeInfoResolver() },
        new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = new DefaultJsonTypeInfoResolver() },
    ];

    private static readonly string[] Suite = ["data", "json-schema-test-suite", "tests"];

    public static TheoryData<string> Files()
    {
        string? root = SharedFolder.Find(Suite);
        return root is null ? [] : new TheoryData<string>(Directory.GetFiles(root, "*.json", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal));
    }

    [SharedTheory("data", "json-schema-test-suite", "tests")]
    [MemberData(nameof(Files))]
    public void EveryValidInstanceIsAcceptedAndNoInvalidOne(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SharedFolder.Find(Suite)!, file)));
        bool remarks = Path.GetFileName(file) == "format.json" && !file.Contains("optional", StringComparison.Ordinal);
        JsonSchemaOptions options = new(AssertFormats: !remarks) { Documents = Remotes.Value };
        List<string> wrong = [];
        foreach (JsonElement group in document.RootElement.EnumerateArray())
        {
            Grammar grammar;
            try
            {
                grammar = Grammar.FromJsonSchema(group.GetProperty("schema"), options);
            }
            catch (StructureException e)
            {
                Assert.Matches("^(#|http|regex|schema)", e.Message);
                Assert.DoesNotContain('\n', e.Message);
                // A schema that nothing satisfies has no valid instance.
                if (e.Message.Contains("no value satisfies", StringComparison.Ordinal))
                    wrong.AddRange(group.GetProperty("tests").EnumerateArray().Where(t => t.GetProperty("valid").GetBoolean()).Select(t => $"{group.GetProperty("description")}: {t.GetProperty("description")}: refused"));
                continue;
            }
            foreach (JsonElement test in group.GetProperty("tests").EnumerateArray())
            {
                bool valid = test.GetProperty("valid").GetBoolean();
                // Labels of international names in their encoded form are left out: they are not accepted, valid or not.
                if (valid && group.GetProperty("description").GetString()!.Contains("A-label", StringComparison.Ordinal))
                    continue;
                JsonElement data = test.GetProperty("data");
                foreach (JsonSerializerOptions style in Styles)
                {
                    bool accepted = grammar.Matches(JsonSerializer.SerializeToUtf8Bytes(data, style));
                    if (accepted != valid)
                        wrong.Add($"{group.GetProperty("description")}: {test.GetProperty("description")}: {(accepted ? "wrongly accepted" : "wrongly rejected")} {data.GetRawText()}");
                }
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Distinct()));
    }

    [SharedFact("data", "json-schema-test-suite", "tests")]
    public void MostOfTheSuiteIsEnforced()
    {
        int all = 0;
        int enforced = 0;
        Dictionary<string, int> reasons = [];
        string root = SharedFolder.Find(Suite)!;
        foreach (string file in Directory.GetDirectories(root).SelectMany(d => Directory.GetFiles(d, "*.json")))
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (JsonElement group in document.RootElement.EnumerateArray())
            {
                int count = group.GetProperty("tests").GetArrayLength();
                all += count;
                try
                {
                    Grammar.FromJsonSchema(group.GetProperty("schema"), new JsonSchemaOptions { Documents = Remotes.Value });
                    enforced += count;
                }
                catch (StructureException e) when (e.Message.Contains("no value satisfies", StringComparison.Ordinal))
                {
                    enforced += count;
                }
                catch (StructureException e)
                {
                    string reason = Path.GetFileName(file) + ": " + (e.Message.Length > 110 ? e.Message[..110] : e.Message);
                    reasons[reason] = reasons.GetValueOrDefault(reason) + count;
                }
            }
        }
        if (Environment.GetEnvironmentVariable("SHOW_REASONS") is { } show)
            File.WriteAllText(show, $"{enforced} of {all}\n" + string.Join('\n', reasons.OrderByDescending(r => r.Value).Select(r => $"{r.Value} {r.Key}")));
        Assert.True(all > 0 && enforced >= all * 0.85, $"{enforced} of {all}");
    }

    private static readonly Lazy<Dictionary<string, JsonElement>> Remotes = new(() =>
    {
        string root = SharedFolder.Find("data", "json-schema-test-suite", "remotes")!;
        Dictionary<string, JsonElement> documents = [];
        foreach (string file in Directory.GetFiles(root, "*.json", SearchOption.AllDirectories))
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            documents["http://localhost:1234/" + Path.GetRelativePath(root, file).Replace('\\', '/')] = document.RootElement.Clone();
        }
        return documents;
    });
}
