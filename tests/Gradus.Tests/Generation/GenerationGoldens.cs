using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Goldens;

namespace Gradus.Tests.Generation;

/// <summary>Greedy and beam search against transformers' <c>generate</c>: the same sequences.</summary>
public sealed class GenerationGoldens
{
    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string name in Models().Where(n => !PendingGoldens.Of("generation").ContainsKey(ModelClass(n))))
        {
            foreach (string device in TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    [SharedTheory("golden", "generation")]
    [MemberData(nameof(Cases))]
    public void FindsTheSameSequences(string name, string device)
    {
        string folder = SharedFolder.Find("golden", "generation", name)!;
        JsonObject expected = Checkpoint.ReadObject(Path.Combine(folder, "expected.json"));
        using GenerativeModel model = Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(folder, TestDevices.Get(device)));
        foreach ((string key, JsonNode? about) in expected["cases"]!.AsObject())
            new ReferenceCase(key, expected, about!.AsObject(), (model as EncoderDecoderModel)?.StartToken).Check(model);
    }

    [SharedTheory("golden", "generation")]
    [MemberData(nameof(Cases))]
    public void EveryStepHasTheSameLogits(string name, string device)
    {
        string folder = SharedFolder.Find("golden", "generation", name)!;
        JsonObject expected = Checkpoint.ReadObject(Path.Combine(folder, "expected.json"));
        using GenerativeModel model = Assert.IsAssignableFrom<GenerativeModel>(Checkpoint.Load(folder, TestDevices.Get(device)));
        using TensorsOf io = new(Path.Combine(folder, "io.safetensors"));
        foreach ((string prompt, _) in expected["prompts"]!.AsObject())
        {
            float[] logits = io.Floats($"greedy.{prompt}.step_logits");
            Shape shape = io.ShapeOf($"greedy.{prompt}.step_logits");
            new ReferenceCase($"greedy/{prompt}", expected, expected["cases"]![$"greedy/{prompt}"]!.AsObject(), (model as EncoderDecoderModel)?.StartToken).CheckLogits(model, logits, shape);
        }
    }

    [SharedFact("golden", "generation")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        HashSet<string> classes = [.. Models().Select(ModelClass)];
        foreach (string pending in PendingGoldens.Of("generation").Keys)
        {
            Assert.True(classes.Contains(pending), $"{pending} is on the pending list, but no case has that class.");
            string folder = SharedFolder.Find("golden", "generation", Models().First(n => ModelClass(n) == pending))!;
            Assert.Throws<InvalidDataException>(() => Checkpoint.Load(folder, ReferenceDevice.Instance).Dispose());
        }
    }

    private static IEnumerable<string> Models() =>
        SharedFolder.GoldenCases("generation").Where(n => SharedFolder.Find("golden", "generation", n, "config.json") is not null);

    private static string ModelClass(string name) =>
        (string)Checkpoint.ReadObject(SharedFolder.Find("golden", "generation", name, "config.json")!)["architectures"]![0]!;

    private sealed class ReferenceCase(string key, JsonObject all, JsonObject about, int? startToken)
    {
        private readonly JsonObject _kwargs = about["generate_kwargs"]!.AsObject();
        private readonly int[] _stopTokens = ReferenceSteps.Ids(all["eos_token_id"]!);
        private readonly int[][] _padded = Rows(all["prompts"]![(string)about["prompt"]!]!["input_ids"]!);
        private readonly int[][] _mask = Rows(all["prompts"]![(string)about["prompt"]!]!["attention_mask"]!);

        // T5's scores are not scaled, so that rounding is magnified: computed in double precision, the reference's own logits are off by
        // up to 1.4e-4. Negative exponents of the length give scores of some tens.
        private double Tolerance => startToken is null ? 1e-4 : 5e-4;

        public void Check(GenerativeModel model)
        {
            int[][] sequences = Rows(about["sequences"]!);
            int returned = sequences.Length / _padded.Length;
            if (_kwargs["num_beams"] is null)
            {
                using Generator generator = new(model);
                IReadOnlyList<GeneratedSequence> results = generator.Run([.. Enumerable.Range(0, _padded.Length).Select(Greedy)]);
                for (int row = 0; row < sequences.Length; row++)
                    Same(row, sequences[row], results[row].Generated.ToArray());
                return;
            }
            using BeamSearch search = new(model);
            IReadOnlyList<IReadOnlyList<Hypothesis>> beams = search.Run([.. Enumerable.Range(0, _padded.Length).Select(r => Beams(r, returned))]);
            Assert.Equal(0, search.PagesInUse);
            for (int row = 0; row < sequences.Length; row++)
            {
                Hypothesis hypothesis = beams[row / returned][row % returned];
                Same(row, sequences[row], hypothesis.Generated);
                double score = (double)about["sequences_scores"]![row]!;
                Assert.True(Math.Abs(hypothesis.Score - score) <= Math.Max(1e-4, Tolerance * Math.Min(1, Math.Abs(score) / 50)), $"{key}, row {row}: score {hypothesis.Score}, expected {score}");
            }
        }

        // Each row as far as it goes, fed with the reference's own tokens one at a time.
        public void CheckLogits(GenerativeModel model, float[] logits, Shape shape)
        {
            int[][] sequences = Rows(about["sequences"]!);
            for (int row = 0; row < sequences.Length; row++)
            {
                using CachedForward forward = new(model);
                using Nn.CachedSequence sequence = forward.Cache.NewSequence(source: Source(row));
                int[] generated = ToEnd(sequences[row]), next = Prompt(row);
                for (int step = 0; step < generated.Length; step++)
                {
                    forward.Begin();
                    forward.Add(sequence, next, scored: 1);
                    Span<float> actual = forward.Run()!.Span();
                    for (int i = 0; i < shape[2]; i++)
                    {
                        float expected = logits[(((row * shape[1]) + step) * shape[2]) + i];
                        Assert.True(Math.Abs(actual[i] - expected) <= Tolerance, $"{key}, row {row}, step {step}, token {i}: {actual[i]}, expected {expected}");
                    }
                    next = [generated[step]];
                }
            }
        }

        private GenerationRequest Greedy(int row) => new(Prompt(row))
        {
            Source = Source(row),
            MaxNewTokens = (int)_kwargs["max_new_tokens"]!,
            StopTokens = _stopTokens,
            Steps = Steps(row),
        };

        private BeamSearchRequest Beams(int row, int returned) => new(Prompt(row))
        {
            Source = Source(row),
            Beams = (int)_kwargs["num_beams"]!,
            Returned = returned,
            MaxNewTokens = (int)_kwargs["max_new_tokens"]!,
            LengthPenalty = (float?)_kwargs["length_penalty"] ?? 1,
            EarlyStopping = _kwargs["early_stopping"] switch
            {
                null => EarlyStopping.WhenUnlikelyToImprove,
                var e when e.GetValueKind() == JsonValueKind.True => EarlyStopping.WhenFull,
                var e when e.GetValueKind() == JsonValueKind.String && (string)e! == "never" => EarlyStopping.WhenImpossibleToImprove,
                _ => EarlyStopping.WhenUnlikelyToImprove,
            },
            StopTokens = _stopTokens,
            Steps = Steps(row),
        };

        private int[] Unpadded(int row) => [.. _padded[row].Where((_, i) => _mask[row][i] == 1)];

        private int[] Prompt(int row) => startToken is { } start ? [start] : Unpadded(row);

        private int[]? Source(int row) => startToken is null ? null : Unpadded(row);

        // Tokens in front of those that were generated.
        private int PromptColumns => startToken is null ? _padded[0].Length : 1;

        private LogitsStep[] Steps(int row)
        {
            int[] padding = startToken is null ? [.. _padded[row].Where((_, i) => _mask[row][i] == 0)] : [];
            IEnumerable<LogitsStep> steps = ReferenceSteps.OfGenerate(_kwargs, PromptColumns, _stopTokens);
            return [.. padding.Length == 0 ? steps : steps.Select(s => new BehindPadding(s, padding))];
        }

        private void Same(int row, int[] expected, int[] actual) =>
            Assert.True(ToEnd(expected).AsSpan().SequenceEqual(actual), $"{key}, row {row}: [{string.Join(", ", actual)}], expected [{string.Join(", ", ToEnd(expected))}]");

        // Without the prompt, up to and including the first end token.
        private int[] ToEnd(int[] sequence)
        {
            int[] generated = sequence[PromptColumns..];
            int end = Array.FindIndex(generated, _stopTokens.Contains);
            return end < 0 ? generated : generated[..(end + 1)];
        }

        private static int[][] Rows(JsonNode rows) => [.. rows.AsArray().Select(r => ReferenceSteps.Ids(r!))];
    }

    /// <summary>Shows a step the padding in front of the prompt, which transformers' processors see and count as text.</summary>
    private sealed class BehindPadding(LogitsStep step, int[] padding) : LogitsStep
    {
        public override void Apply(Span<float> logits, in GenerationState state) =>
            step.Apply(logits, new GenerationState([.. padding, .. state.Tokens], padding.Length + state.PromptLength, state.Scratch));
    }
}
