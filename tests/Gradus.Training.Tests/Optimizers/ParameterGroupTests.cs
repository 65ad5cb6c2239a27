using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Optimizers;

public sealed class ParameterGroupTests
{
    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    [Theory]
    [InlineData("*.bias", "h.0.attn.bias", true)]
    [InlineData("*.bias", "h.0.attn.biased", false)]
    [InlineData("h.?.attn.*", "h.3.attn.weight", true)]
    [InlineData("h.?.attn.*", "h.13.attn.weight", false)]
    [InlineData("h.0", "h.0.attn.weight", false)]
    [InlineData("h.0.*", "hx0.attn", false)]
    [InlineData("/attn|mlp/", "h.0.mlp.weight", true)]
    [InlineData(@"/\.[02]\./", "h.1.mlp.weight", false)]
    public void PatternsNameParameters(string pattern, string name, bool expected) =>
        Assert.Equal(expected, new ParameterGroup { Parameters = [pattern] }.Matches(name));

    [Fact]
    public void TheFirstGroupThatNamesAParameterHasIt()
    {
        using LanguageModel model = Model();
        TrainingOptions options = TinyTraining.Options("gpt2") with
        {
            Optimizer = new AdamW(1e-3),
            Schedule = new ConstantSchedule(),
            Groups =
            [
                new ParameterGroup(LearningRateFactor: 0) { Parameters = ["*.wte.weight"] },
                new ParameterGroup(2) { Parameters = ["*.wte.weight", "*.wpe.weight"], Optimizer = new Sgd(0.5) },
            ],
        };
        IReadOnlyList<ParameterPlan> plans = ParameterPlan.Of(model, [.. model.TrainableParameters], options.Optimizer, options.Groups);
        Assert.Equal(0, Plan("transformer.wte.weight").LearningRate);
        Assert.Equal(1.0, Plan("transformer.wpe.weight").LearningRate);
        Assert.Equal(1e-3, Plan("transformer.ln_f.bias").LearningRate);
        using Trainer trainer = new(model, TinyTraining.Objective(), options);
        string tokens = TinyTraining.Sha([Value("transformer.wte.weight")]), positions = TinyTraining.Sha([Value("transformer.wpe.weight")]);
        trainer.Step();
        Assert.Equal(tokens, TinyTraining.Sha([Value("transformer.wte.weight")]));
        Assert.NotEqual(positions, TinyTraining.Sha([Value("transformer.wpe.weight")]));
        Assert.DoesNotContain("transformer.wpe.weight.m", trainer.Optimizer.State.Keys);
        Assert.Contains("transformer.ln_f.bias.m", trainer.Optimizer.State.Keys);

        ParameterPlan Plan(string name) => plans.Single(p => p.Parameter.Name == name);
        Tensor Value(string name) => model.Parts.Find(name)!.Value;
    }

    [Fact]
    public void MuonTakesTheMatricesWithinTheModelOnly()
    {
        using LanguageModel model = Model();
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("gpt2") with { Optimizer = new Muon() });
        string[] matrices = [.. trainer.Optimizer.State.Keys.Where(k => k.EndsWith(".momentum", StringComparison.Ordinal))];
        Assert.Equal(8, matrices.Length);
        Assert.All(matrices, m => Assert.Contains(".h.", m, StringComparison.Ordinal));
        Assert.Contains("transformer.wte.weight.v", trainer.Optimizer.State.Keys);
        double before = trainer.Evaluate()!.Loss;
        for (int i = 0; i < 30; i++)
            trainer.Step();
        Assert.InRange(trainer.Evaluate()!.Loss, 0, before - 0.5);
    }

    [Theory]
    [InlineData("*.nothing", "names none of the")]
    [InlineData("/(/", "is no regular expression")]
    public void APatternThatNamesNothingIsRefused(string pattern, string message)
    {
        using LanguageModel model = Model();
        TrainingOptions options = TinyTraining.Options("gpt2") with { Groups = [new ParameterGroup { Parameters = [pattern] }] };
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => new Trainer(model, TinyTraining.Objective(), options));
        Assert.Contains($"training.groups: {pattern}", e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    private static GenerativeModel Model()
    {
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        return model;
    }
}
