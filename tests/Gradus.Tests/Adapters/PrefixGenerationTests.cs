using Gradus.Adapters;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Adapters;

/// <summary>What adapters put before every sequence, in generation: the same scores as without a cache, alone and among others.</summary>
public sealed class PrefixGenerationTests
{
    private static readonly PeftConfig[] Methods = [new PromptTuningConfig(3), new PTuningConfig(3), new PrefixTuningConfig(3), new PrefixTuningConfig(17, PrefixProjection: true)];

    public static TheoryData<string, int> Cases()
    {
        TheoryData<string, int> cases = [];
        foreach (string name in TinyModels.Names.Where(n => TinyModels.Config(n).UsualTargets is not null))
        {
            for (int method = 0; method < Methods.Length; method++)
                cases.Add(name, method);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void GeneratesWhatTheModelScoresHighest(string name, int method)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(1));
        using ModelAdapter adapter = ModelAdapter.Attach(model, Methods[method], 3);
        int[][] prompts = [TinyModels.Prompt(5, 1), TinyModels.Prompt(9, 2), TinyModels.Prompt(5, 3)];
        using Generator generator = new(model);
        int[][] alone = [.. prompts.Select(p => generator.Run(Request(model, p)).Generated.ToArray())];
        IReadOnlyList<GeneratedSequence> together = generator.Run([.. prompts.Select(p => Request(model, p))]);
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal(alone[i], together[i].Generated.ToArray());
            int[] prompt = TinyModels.Request(model, prompts[i]).Prompt, all = [.. prompt, .. alone[i]];
            using Workspace step = model.Parts.Store.NewScratch();
            Tensor scores = model.Logits(new Pass(TinyModels.Batch(model, prompts[i], all), step));
            for (int t = 0; t < alone[i].Length; t++)
            {
                ReadOnlySpan<float> row = scores.Values().Slice((prompt.Length - 1 + t) * scores.Shape.Columns, scores.Shape.Columns);
                float best = row[0];
                foreach (float score in row)
                    best = MathF.Max(best, score);
                // Sums over pages and over a batch round otherwise.
                Assert.True(best - row[alone[i][t]] <= 1e-3 * MathF.Max(1, MathF.Abs(best)), $"{name}: token {t} of {i} is {alone[i][t]}, whose score is {row[alone[i][t]]}, but the best is {best}");
            }
        }
    }

    private static GenerationRequest Request(GenerativeModel model, int[] prompt) => TinyModels.Request(model, prompt) with { MaxNewTokens = 6 };
}
