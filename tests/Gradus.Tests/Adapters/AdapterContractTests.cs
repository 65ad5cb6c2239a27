using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;
using Gradus.Tests.Models;

namespace Gradus.Tests.Adapters;

/// <summary>Every registered method on every registered family: it begins as the base model, learns, is saved, loaded, merged and taken off.</summary>
public sealed class AdapterContractTests
{
    /// <summary>Values that keep the adapters small, and those without which a method does not know what to do.</summary>
    private static readonly Dictionary<string, string> Small = new()
    {
        ["ADALORA"] = """ "init_r": 4, "target_r": 2, "lora_alpha": 16 """,
        ["BOTTLENECK"] = """ "mh_adapter": true, "reduction_factor": 4, "init_weights": "mam_adapter", "original_ln_before": false """,
        ["LOHA"] = """ "r": 3 """,
        ["LOKR"] = """ "r": 2 """,
        ["LORA"] = """ "r": 4, "lora_alpha": 16 """,
        ["MISS"] = """ "r": 4 """,
        ["MULTITASK_PROMPT_TUNING"] = """ "num_virtual_tokens": 3 """,
        ["PREFIX_TUNING"] = """ "num_virtual_tokens": 3 """,
        ["PROMPT_TUNING"] = """ "num_virtual_tokens": 3 """,
        ["P_TUNING"] = """ "num_virtual_tokens": 3 """,
        ["OFT"] = """ "oft_block_size": 4 """,
        ["TRAINABLE_TOKENS"] = """ "token_indices": [1, 3, 5, 7] """,
        ["VERA"] = """ "r": 16 """,
    };

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string type in PeftConfig.PeftTypes)
        {
            foreach (string name in TinyModels.Names.Concat(EncoderCases.Tiny.Select(c => c.ArchitectureClass)))
            {
                ModelConfig config = Config(name);
                bool has = Method(type) switch
                {
                    BottleneckConfig => config.UsualTargets?.Residuals.Count > 0,
                    PromptConfig => config.UsualTargets is not null && TinyModels.Names.Contains(name),
                    // OPT's third variant has norms without gains.
                    LnTuningConfig => config.UsualTargets is not null && config is not OptConfig { LayerNormElementwiseAffine: false },
                    _ => config.UsualTargets is not null,
                };
                if (has)
                    cases.Add(name, type);
            }
        }
        return cases;
    }

    [Fact]
    public void EveryFamilyHasUsualTargets()
    {
        // Recurrent networks have no layers for queries; those of XLNet are no modules of their own in transformers.
        IEnumerable<ModelConfig> without = TinyModels.All.Select(TinyModels.Config).Concat(EncoderCases.Tiny).Where(c => c.UsualTargets is null);
        Assert.All(without, c => Assert.True(c is RnnLmConfig or XLNetConfig, c.ArchitectureClass));
    }

    [Theory]
    [InlineData("lstm")]
    [InlineData("gru")]
    public void AFamilyWithoutUsualTargetsAsksForThem(string name)
    {
        using LanguageModel model = TinyModels.Make(name, ReferenceDevice.Instance);
        Assert.Contains("target_modules", Assert.Throws<InvalidDataException>(() => ModelAdapter.Attach(model, new LoraConfig(), 1)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ItLearnsIsSavedAndMerges(string name, string type)
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = Make(name);
        float[] before = Scores(model);
        Dictionary<string, float[]> weights = Values(model);
        PeftConfig method = Method(type);
        using ModelAdapter adapter = ModelAdapter.Attach(model, method, 5);
        if (method is not PromptConfig)
            Close(before, Scores(model));
        float first = Learn(model), last = first;
        for (int i = 0; i < 8; i++)
            last = Learn(model);
        Assert.True(last < first, $"the loss went from {first} to {last}");
        Assert.All(model.Parameters.Except(adapter.Parameters), p => Assert.Equal(weights[p.Name], p.Value.ToArray()));
        float[] trained = Scores(model);
        Assert.NotEqual(before, trained);
        PeftFolder.Save(folder["adapter"], adapter);
        adapter.Detach();
        Assert.Equal(weights, Values(model));
        Assert.Equal(before, Scores(model));

        using LanguageModel other = Make(name);
        using ModelAdapter loaded = PeftFolder.Load(folder["adapter"], other);
        Assert.Equal(trained, Scores(other));
        Assert.Equal(method is not (PromptConfig or BottleneckConfig), loaded.CanMerge);
        if (!loaded.CanMerge)
            return;
        loaded.Merge();
        Close(trained, Scores(other));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void ItWorksOnQuantizedWeights(string type)
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = Make("llama");
        ModelQuantization.Apply(model, PackedFormats.All.Single(f => f.Name == "Q8_0"));
        float[] before = Scores(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, Method(type), 5);
        float first = Learn(model), last = first;
        for (int i = 0; i < 8; i++)
            last = Learn(model);
        Assert.True(last < first, $"the loss went from {first} to {last}");
        float[] trained = Scores(model);
        PeftFolder.Save(folder["adapter"], adapter);
        adapter.Detach();
        Assert.Equal(before, Scores(model));
        using ModelAdapter loaded = PeftFolder.Load(folder["adapter"], model);
        Assert.Equal(trained, Scores(model));
    }

    public static TheoryData<string> Types() => [.. PeftConfig.PeftTypes];

    internal static PeftConfig Method(string type) =>
        PeftConfig.Parse(JsonNode.Parse($$"""{"peft_type": "{{type}}"{{(Small.TryGetValue(type, out string? values) ? "," + values : "")}}}""")!.AsObject(), type);

    private static ModelConfig Config(string name) => TinyModels.Names.Contains(name) ? TinyModels.Config(name) : EncoderCases.Config(name);

    private static Dictionary<string, float[]> Values(LanguageModel model) => model.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray());

    private static LanguageModel Make(string name) => TinyModels.Names.Contains(name)
        ? TinyModels.Make(name, TinyModels.Cpu(2))
        : EncoderCases.Make(EncoderCases.Config(name), TinyModels.Cpu(2));

    private static void Close(float[] expected, float[] actual)
    {
        float scale = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 2e-4f * scale);
    }

    private static float[] Scores(LanguageModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        return model is GenerativeModel generative
            ? ContractChecks.Logits(generative, ContractChecks.Ragged(generative))
            : EncoderCases.Outputs(model, new Pass(EncoderCases.Batch(7, 11), step))[0].ToArray();
    }

    // One step down the normalized gradient.
    private static float Learn(LanguageModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        Tape tape = step.StartTape();
        TokenBatch batch = model is GenerativeModel generative ? ContractChecks.Ragged(generative) : EncoderCases.Batch(7, 11);
        Pass pass = new(batch, step);
        Tensor loss = model is GenerativeModel writer
            ? writer.Losses(pass, step.From([.. batch.Ids.Select(i => (i + 1) % TinyModels.Vocabulary)])).Mean()
            : EncoderCases.Loss(model, batch, pass);
        tape.Backward(loss);
        Parameter[] trained = [.. model.TrainableParameters];
        double norm = Math.Sqrt(trained.Sum(p => p.Gradient!.ToArray().Sum(g => (double)g * g)));
        foreach (Parameter p in trained)
        {
            model.Device.Axpy((float)(-0.03 / norm), p.Gradient!, p.Value);
            p.MarkChanged();
            p.ClearGradient();
        }
        return loss.Item();
    }
}
