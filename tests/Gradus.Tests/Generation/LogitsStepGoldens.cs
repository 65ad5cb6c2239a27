using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Testing;

namespace Gradus.Tests.Generation;

/// <summary>Every step against transformers' logits processors.</summary>
public sealed class LogitsStepGoldens
{
    private static readonly string? Path = SharedFolder.Find("golden", "generation", "logits_processors", "expected.json");

    public static TheoryData<string> Cases()
    {
        TheoryData<string> cases = [];
        if (Path is not null)
        {
            foreach ((string name, _) in Checkpoint.ReadObject(Path)["cases"]!.AsObject())
                cases.Add(name);
        }
        return cases;
    }

    [SharedTheory("golden", "generation", "logits_processors")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameScores(string name)
    {
        JsonObject all = Checkpoint.ReadObject(Path!), about = all["cases"]![name]!.AsObject();
        JsonArray rows = (about["scores_in"] ?? all["scores"])!.AsArray(), ids = (about["input_ids"] ?? all["input_ids"])!.AsArray();
        for (int row = 0; row < rows.Count; row++)
        {
            LogitsStep[] steps = [.. ReferenceSteps.Of((string)about["processor"]!, about["params"]!.AsObject(), row)];
            float[] input = Floats(rows[row]!), expected = Floats(about["out"]![row]!);
            int[] tokens = ReferenceSteps.Ids(ids[row]!);
            int promptLength = (int?)(about["params"]!["prompt_length"] ?? about["params"]!["input_ids_seq_length"]) ?? 0;
            LogitsScratch scratch = new();
            float[] logits = Apply(steps, input, tokens, promptLength, scratch);
            for (int i = 0; i < logits.Length; i++)
            {
                bool same = float.IsInfinity(expected[i]) ? logits[i] == expected[i] : Math.Abs(logits[i] - expected[i]) <= Tolerance(expected[i]);
                Assert.True(same, $"{name}, row {row}, token {i}: {logits[i]}, expected {expected[i]}");
            }
            CheckContract(steps, input, logits, tokens, promptLength, scratch);
        }
    }

    [SharedFact("golden", "generation", "logits_processors")]
    public void EveryStepHasACase()
    {
        HashSet<Type> covered = [.. MoreStepsTests.Steps];
        foreach ((_, JsonNode? about) in Checkpoint.ReadObject(Path!)["cases"]!.AsObject())
            covered.UnionWith(ReferenceSteps.Of((string)about!["processor"]!, about["params"]!.AsObject(), 0).Select(s => s.GetType()));
        Assert.DoesNotContain(typeof(LogitsStep).Assembly.GetTypes(), t => t.IsSubclassOf(typeof(LogitsStep)) && !covered.Contains(t));
    }

    // The largest float is finite: an absolute 1e-5 means nothing beside it.
    private static double Tolerance(float expected) => Math.Abs(expected) > 1e30 ? Math.Abs(expected) * 1e-6 : 1e-5;

    // The scratch is left as it was found, whatever ran before does not matter, and nothing is allocated per token.
    private static void CheckContract(LogitsStep[] steps, float[] input, float[] first, int[] tokens, int promptLength, LogitsScratch scratch)
    {
        scratch.Floats(input.Length).Fill(float.NaN);
        scratch.Ints(input.Length).Fill(-7);
        Assert.Equal(first, Apply(steps, input, tokens, promptLength, scratch));
        Assert.All(scratch.Counts(input.Length).ToArray(), c => Assert.Equal(0, c));
        float[] logits = [.. input];
        GenerationState state = new(tokens, promptLength, scratch);
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (LogitsStep step in steps)
            step.Apply(logits, state);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        // Where nothing is allowed, nothing becomes a number but by a step that says so.
        float[] none = new float[input.Length];
        none.AsSpan().Fill(float.NegativeInfinity);
        Assert.DoesNotContain(float.NaN, Apply(steps, none, tokens, promptLength, scratch));
    }

    private static float[] Apply(LogitsStep[] steps, float[] input, int[] tokens, int promptLength, LogitsScratch scratch)
    {
        float[] logits = [.. input];
        foreach (LogitsStep step in steps)
            step.Apply(logits, new GenerationState(tokens, promptLength, scratch));
        return logits;
    }

    private static float[] Floats(JsonNode row) => [.. row.AsArray().Select(v => v!.GetValueKind() == System.Text.Json.JsonValueKind.String
        ? (string)v! switch { "-Infinity" => float.NegativeInfinity, "Infinity" => float.PositiveInfinity, "NaN" => float.NaN, var s => throw new FormatException(s) }
        : (float)(double)v!)];
}
