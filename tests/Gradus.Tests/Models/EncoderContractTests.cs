using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>What every registered encoder must do with every head it comes with, and every decoder as a classifier.</summary>
public sealed class EncoderContractTests
{
    public static TheoryData<string> Cases => [.. EncoderCases.Names];

    public static TheoryData<string> MaskedLanguageModels => [.. EncoderCases.Names.Where(n => n.EndsWith("ForMaskedLM", StringComparison.Ordinal) || n is "BertForPreTraining" or "XLNetLMHeadModel")];

    [Fact]
    public void EveryEncoderHasACase() => Assert.Equal(EncoderCases.Registered.Select(t => t.Name).Order(), EncoderCases.Covered.Select(t => t.Name).Order());

    [Theory]
    [MemberData(nameof(Cases))]
    public void ASequenceScoresTheSameAloneAndBesideLongerOnes(string name)
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(name), TinyModels.Cpu(2));
        float[][] together = Outputs(model, EncoderCases.Batch(5, 31, 19)), alone = Outputs(model, EncoderCases.Batch(19));
        foreach ((float[] all, float[] one) in together.Zip(alone))
            Assert.Equal(one, all[^one.Length..]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryParameterGetsAGradientAndRecomputingGivesTheSame(string name)
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(name), TinyModels.Cpu(2));
        model.SetTrainable(true);
        float[][] kept = Gradients(model, recompute: false), again = Gradients(model, recompute: true);
        for (int i = 0; i < kept.Length; i++)
        {
            // Only experts that a token chose learn.
            Parameter parameter = model.Parameters.Where(p => !p.IsBuffer).ElementAt(i);
            Assert.True(kept[i].Any(v => v != 0) || parameter.Name.Contains(".experts.", StringComparison.Ordinal), parameter.Name);
            Assert.Equal(kept[i], again[i]);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void WhatIsWrittenIsReadBack(string name)
    {
        using TemporaryFolder folder = new();
        ModelConfig config = EncoderCases.Config(name) with { Labels = new LabelSet(["no", "maybe", "yes"], ProblemType.MultiLabelClassification) };
        using LanguageModel model = EncoderCases.Make(config, ReferenceDevice.Instance);
        using (AtomicFolder target = AtomicFolder.Begin(folder["model"]))
        {
            Checkpoint.Write(target, model);
            target.Commit();
        }
        using LanguageModel read = Checkpoint.Load(folder["model"], ReferenceDevice.Instance);
        Assert.Equal(Architectures.ToJson(config).ToJsonString(), Architectures.ToJson(read.Config).ToJsonString());
        Assert.Equal(model.Parameters.Select(p => p.Name), read.Parameters.Select(p => p.Name));
        Assert.Equal(Outputs(model, EncoderCases.Batch(5, 9)), Outputs(read, EncoderCases.Batch(5, 9)));
    }

    [Theory]
    [MemberData(nameof(MaskedLanguageModels))]
    public void TiedTablesStayTied(string name)
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(name), ReferenceDevice.Instance);
        using (AtomicFolder target = AtomicFolder.Begin(folder["model"]))
        {
            Checkpoint.Write(target, model);
            target.Commit();
        }
        using LanguageModel read = Checkpoint.Load(folder["model"], ReferenceDevice.Instance);
        Parameter table = read.Parts.Embeddings.Single(e => e.Path.EndsWith("word_embeddings", StringComparison.Ordinal) || e.Path.EndsWith("word_embedding", StringComparison.Ordinal)).Table;
        Linear head = Assert.Single(read.Parts.Linears, l => l.Weight is DenseWeight dense && dense.Parameter == table);
        using TensorFile file = TensorFile.Open(folder["model"]);
        Assert.False(file.TryGet($"{head.Path}.weight", out _));
    }

    [Theory]
    [InlineData(ProblemType.Regression)]
    [InlineData(ProblemType.SingleLabelClassification)]
    [InlineData(ProblemType.MultiLabelClassification)]
    public void AClassifierLearnsEveryKindOfProblem(ProblemType problem)
    {
        ModelConfig config = EncoderCases.Config("BertForSequenceClassification") with { Labels = LabelSet.OfCount(2, problem) };
        using TaskModel model = (TaskModel)EncoderCases.Make(config, ReferenceDevice.Instance);
        model.SetTrainable(true);
        using Workspace step = model.Parts.Store.NewScratch();
        float[] losses = new float[30];
        for (int i = 0; i < losses.Length; i++)
        {
            Tape tape = step.StartTape();
            Tensor targets = problem == ProblemType.SingleLabelClassification ? step.From([1, 0, -100]) : step.From([1f, 0, 0, 1, 1, 1], new Shape(3, 2));
            Tensor loss = model.Loss(new Pass(EncoderCases.Batch(5, 9, 7), step), targets);
            losses[i] = loss.Item();
            tape.Backward(loss);
            foreach (Parameter p in model.Parameters)
            {
                model.Device.Axpy(-0.05f, p.Gradient!, p.Value);
                p.MarkChanged();
                p.ClearGradient();
            }
            step.Reset();
        }
        Assert.True(losses[^1] < 0.2 * losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
    }

    [Fact]
    public void ADecoderWithoutItsHeadSaysSo()
    {
        using TaskModel model = (TaskModel)EncoderCases.Make(EncoderCases.Config("LlamaForSequenceClassification"), ReferenceDevice.Instance);
        Assert.DoesNotContain(model.Parameters, p => p.Name.StartsWith("lm_head", StringComparison.Ordinal));
        using Workspace step = model.Parts.Store.NewScratch();
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => ((DecoderModel)model.Body).Logits(new Pass(EncoderCases.Batch(3), step)));
        Assert.Contains("lm_head", e.Message, StringComparison.Ordinal);
    }

    private static float[][] Outputs(LanguageModel model, TokenBatch batch)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        return [.. EncoderCases.Outputs(model, new Pass(batch, step)).Select(t => t.ToArray())];
    }

    private static float[][] Gradients(LanguageModel model, bool recompute)
    {
        foreach (Parameter p in model.Parameters)
            p.ClearGradient();
        using Workspace step = model.Parts.Store.NewScratch();
        step.PoisonNewTensors = true;
        Tape tape = step.StartTape();
        TokenBatch batch = EncoderCases.Batch(7, 11);
        Pass pass = new(batch, step) { Recompute = recompute };
        pass.Train(17);
        tape.Backward(EncoderCases.Loss(model, batch, pass));
        return [.. model.Parameters.Where(p => !p.IsBuffer).Select(p => p.Gradient?.ToArray() ?? throw new InvalidOperationException($"{p.Name} has no gradient."))];
    }
}
