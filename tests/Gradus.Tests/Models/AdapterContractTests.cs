using Gradus.Adapters;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Every registered family can be fine-tuned with adapters on its usual layers, and gets back what was saved.</summary>
public sealed class AdapterContractTests
{
    // Recurrent networks have no layers for queries; those of XLNet are no modules of their own in transformers.
    private static readonly string[] WithoutUsualTargets = ["rnn_lm", "xlnet"];

    private static readonly PeftConfig[] Methods = [new LoraConfig(R: 4, LoraAlpha: 16), new Ia3Config()];

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        IEnumerable<string> encoders = EncoderCases.Tiny.Where(c => c is not XLNetConfig).Select(c => c.ArchitectureClass);
        foreach (string name in TinyModels.Names.Where(n => TinyModels.Config(n) is not RnnLmConfig).Concat(encoders))
        {
            foreach (PeftConfig method in Methods)
                cases.Add(name, Type(method));
        }
        return cases;
    }

    [Fact]
    public void EveryFamilyHasUsualTargets()
    {
        foreach (PeftConfig method in Methods)
            Assert.Equal(Architectures.ModelTypes.Except(WithoutUsualTargets), method.UsualTargets.Keys.Order(StringComparer.Ordinal));
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
    public void ItLearnsIsSavedAndMerges(string name, string method)
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = Make(name);
        float[] before = Scores(model);
        Dictionary<string, float[]> weights = model.Parameters.ToDictionary(p => p.Name, p => p.Value.ToArray());
        using ModelAdapter adapter = ModelAdapter.Attach(model, Methods.Single(m => Type(m) == method), 5);
        Close(before, Scores(model));
        float first = Learn(model), last = first;
        for (int i = 0; i < 14; i++)
            last = Learn(model);
        Assert.True(last < first, $"the loss went from {first} to {last}");
        Assert.All(model.Parameters, p => Assert.Equal(weights[p.Name], p.Value.ToArray()));
        float[] trained = Scores(model);
        Assert.NotEqual(before, trained);

        PeftFolder.Save(folder["adapter"], adapter);
        using LanguageModel other = Make(name);
        using ModelAdapter loaded = PeftFolder.Load(folder["adapter"], other);
        Assert.Equal(trained, Scores(other));
        loaded.Merge();
        Close(trained, Scores(other));
    }

    private static string Type(PeftConfig method) => (string)method.ToJson()["peft_type"]!;

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
