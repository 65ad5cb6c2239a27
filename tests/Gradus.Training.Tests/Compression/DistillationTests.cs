using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Compression;
using Gradus.Training.Compression.Distillation;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Compression;

/// <summary>Learning from a teacher, and training for a stored form.</summary>
public sealed class DistillationTests
{
    public static TheoryData<DivergenceKind> Kinds => [.. Enum.GetValues<DivergenceKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void DerivativesAreThoseOfTheDivergence(DivergenceKind kind)
    {
        Divergence divergence = new(kind, Temperature: 1.7, Mix: 0.3);
        float[] teacher = [.. Enumerable.Range(0, 9).Select(i => (float)CounterRandom.Normal(1, i))], student = [.. Enumerable.Range(0, 9).Select(i => (float)CounterRandom.Normal(2, i))], gradient = new float[9];
        double value = divergence.Of(teacher, student, gradient);
        Assert.True(value > 0);
        Assert.Equal(0, divergence.Of(teacher, teacher, []), 1e-12);
        for (int i = 0; i < 9; i++)
        {
            const float step = 1e-3f;
            float[] above = [.. student], below = [.. student];
            above[i] += step;
            below[i] -= step;
            double slope = (divergence.Of(teacher, above, []) - divergence.Of(teacher, below, [])) / ((double)above[i] - below[i]);
            Assert.Equal(slope, gradient[i], 1e-4);
        }
    }

    [Fact]
    public void ForwardDivergenceIsTheKlTimesTheSquareOfTheTemperature()
    {
        double p = 1 / (1 + Math.Exp(-0.5)), q = 1 / (1 + Math.Exp(0.25));
        double expected = 4 * ((p * Math.Log(p / q)) + ((1 - p) * Math.Log((1 - p) / (1 - q))));
        Assert.Equal(expected, new Divergence(Temperature: 2).Of([1, 0], [-0.5f, 0], []), 1e-9);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama lora")]
    [InlineData("t5")]
    public void LearningFromOneselfChangesNothing(string kind)
    {
        (GenerativeModel student, Gradus.Adapters.ModelAdapter? adapter) = TinyTraining.Create(kind, CpuDevice.Default, dropout: 0);
        (GenerativeModel teacher, Gradus.Adapters.ModelAdapter? other) = TinyTraining.Create(kind, CpuDevice.Default, dropout: 0);
        using DistillationObjective objective = new(teacher, Batches(kind), null, new DistillationOptions(HiddenWeight: 1));
        using (Trainer trainer = new(student, objective, new TrainingOptions(Steps: 2, ClipNorm: 0) { Optimizer = new Sgd(LearningRate: 1) }))
        {
            StepReport report = trainer.Step();
            Assert.InRange(Math.Abs(report.Loss), 0, 1e-9);
            Assert.InRange(report.GradientNorm, 0, 1e-5);
            Assert.Equal(1, report.Metrics["same_top"]);
        }
        adapter?.Dispose();
        other?.Dispose();
        student.Dispose();
        teacher.Dispose();
    }

    [Fact]
    public void WithoutATeachersShareItIsTheNextTokenObjective()
    {
        (GenerativeModel teacher, _) = TinyTraining.Create("gpt2", CpuDevice.Default, seed: 9, dropout: 0);
        using DistillationObjective distillation = new(teacher, Batches("gpt2"), null, new DistillationOptions(TeacherWeight: 0));
        (double loss, float[][] gradients) = TinyTraining.GradientsOf("gpt2", CpuDevice.Default, distillation);
        (double expected, float[][] same) = TinyTraining.GradientsOf("gpt2", CpuDevice.Default, new NextToken(Batches("gpt2")));
        Assert.Equal(expected, loss, 1e-5);
        TinyTraining.Close(same, gradients, 1e-4);
        teacher.Dispose();
    }

    [Theory]
    [InlineData(DivergenceKind.Forward, TextAuthor.Data)]
    [InlineData(DivergenceKind.Reverse, TextAuthor.Student)]
    [InlineData(DivergenceKind.JensenShannon, TextAuthor.Student)]
    [InlineData(DivergenceKind.Forward, TextAuthor.Teacher)]
    public void AStudentComesNearerToItsTeacher(DivergenceKind kind, TextAuthor author)
    {
        (GenerativeModel teacher, _) = TinyTraining.Create("llama", CpuDevice.Default, seed: 9);
        using (Trainer taught = new(teacher, TinyTraining.Objective(), TinyTraining.Options("llama", 40)))
        {
            for (int i = 0; i < 40; i++)
                taught.Step();
        }
        LlamaConfig small = new(TinyTraining.Vocabulary, HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 1, NumAttentionHeads: 4, MaxPositionEmbeddings: TinyTraining.Context);
        using GenerativeModel student = (GenerativeModel)Checkpoint.Create(small, 4, CpuDevice.Default);
        student.SetTrainable(true);
        DistillationOptions options = new(kind, Author: author, PromptTokens: 2, NewTokens: 12);
        DistillationObjective.Check(student, teacher, options);
        using DistillationObjective objective = new(teacher, Batches("llama"), Batches("llama"), options);
        using Trainer trainer = new(student, objective, new TrainingOptions(Steps: 60, Seed: 7) { Optimizer = new AdamW(LearningRate: 5e-3) });
        double before = trainer.Evaluate()!.Metrics["divergence"];
        for (int i = 0; i < 60; i++)
            trainer.Step();
        double after = trainer.Evaluate()!.Metrics["divergence"];
        Assert.True(after < 0.8 * before, $"{before} → {after}");
        teacher.Dispose();
    }

    [Fact]
    public void AStoredTeacherIsAskedOnceAndSaysTheSame()
    {
        using TestFolder folder = new();
        (GenerativeModel teacher, _) = TinyTraining.Create("llama", CpuDevice.Default, seed: 9);
        (double online, float[][] gradients) = Learn(null);
        TeacherStore all = TeacherStore.Open(folder["all.safetensors"], "teacher", TinyTraining.Vocabulary);
        (double stored, float[][] near) = Learn(all);
        // Log-probabilities are kept in half precision.
        Assert.Equal(online, stored, 1e-2 * online);
        TinyTraining.Close(gradients, near, 2e-2);
        TeacherStore few = TeacherStore.Open(folder["few.safetensors"], "teacher", 8);
        (double first, _) = Learn(few);
        few.Save(folder["few.safetensors"]);
        TeacherStore read = TeacherStore.Open(folder["few.safetensors"], "teacher", 8);
        Assert.Equal(few.Count, read.Count);
        // Whatever the teacher would say now, it is not asked.
        foreach (Parameter parameter in teacher.Parameters)
            parameter.Value.Span().Clear();
        Assert.Equal(first, Learn(read).Loss);
        Assert.Contains("of teacher, not 8 of other", Assert.Throws<InvalidDataException>(() => TeacherStore.Open(folder["few.safetensors"], "other", 8)).Message, StringComparison.Ordinal);
        teacher.Dispose();

        (double Loss, float[][] Gradients) Learn(TeacherStore? store)
        {
            using DistillationObjective objective = new(teacher, Batches("gpt2"), null, new DistillationOptions(), store: store);
            return TinyTraining.GradientsOf("gpt2", CpuDevice.Default, objective);
        }
    }

    [Fact]
    public void WhatCannotBeTaughtIsRefusedInOneLine()
    {
        (GenerativeModel teacher, _) = TinyTraining.Create("llama", CpuDevice.Default);
        using GenerativeModel other = (GenerativeModel)Checkpoint.Create(new Gpt2Config(TinyTraining.Vocabulary + 1, TinyTraining.Context, NEmbd: 48, NLayer: 1, NHead: 3), 1, CpuDevice.Default);
        using GenerativeModel narrow = (GenerativeModel)Checkpoint.Create(new Gpt2Config(TinyTraining.Vocabulary, TinyTraining.Context, NEmbd: 24, NLayer: 1, NHead: 3), 1, CpuDevice.Default);
        Assert.Contains("62 tokens", Assert.Throws<InvalidDataException>(() => DistillationObjective.Check(other, teacher, new DistillationOptions())).Message, StringComparison.Ordinal);
        Assert.Contains("hidden_weight", Assert.Throws<InvalidDataException>(() => DistillationObjective.Check(narrow, teacher, new DistillationOptions(HiddenWeight: 1))).Message, StringComparison.Ordinal);
        teacher.Dispose();
    }

    [Theory]
    [InlineData("llama", "q4_0")]
    [InlineData("gpt2", "q4_0")]
    [InlineData("llama", "q8_0")]
    [InlineData("gpt2", "iq4_nl")]
    public void TheWrittenFileComputesWhatWasTrained(string kind, string type)
    {
        ModelConfig config = kind == "llama"
            ? new LlamaConfig(TinyTraining.Vocabulary, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: TinyTraining.Context)
            : new Gpt2Config(TinyTraining.Vocabulary, TinyTraining.Context, NEmbd: 64, NLayer: 2, NHead: 4, ResidPdrop: 0, EmbdPdrop: 0, AttnPdrop: 0);
        using GenerativeModel model = (GenerativeModel)Checkpoint.Create(config, 3, CpuDevice.Default);
        GgufStorage storage = GgufStorage.Get(type);
        IReadOnlyList<Parameter> rounded = QuantizationAware.Apply(model, Architectures.ToJson(config), storage);
        Assert.NotEmpty(rounded);
        model.SetTrainable(true);
        float[] before = rounded[^1].Value.ToArray();
        double first, last;
        using (Trainer trainer = new(model, new NextToken(Batches(kind)), new TrainingOptions(Steps: 12, Seed: 7) { Optimizer = new AdamW(LearningRate: 3e-3) }))
        {
            first = trainer.Step().Loss;
            last = Enumerable.Range(0, 11).Select(_ => trainer.Step().Loss).Last();
        }
        Assert.True(last < first, $"{first} → {last}");
        Assert.NotEqual(before, rounded[^1].Value.ToArray());
        // The trained weights are written as they are, and the file rounds them.
        using TestFolder folder = new();
        using (GgufExport export = GgufExport.Plan(Architectures.ToJson(config), new ParameterFile("model", model, keepsModel: true), null, new GgufExportOptions(storage)))
            export.Write(folder["model.gguf"], long.MaxValue);
        using GenerativeModel read = (GenerativeModel)Checkpoint.Load(folder["model.gguf"], CpuDevice.Default);
        Assert.Equal(Logits(read), Logits(model));
    }

    private static PackedExamples Batches(string kind)
    {
        Example[] examples = TinyTraining.Examples(24);
        return new(kind.StartsWith("t5", StringComparison.Ordinal) ? [.. examples.Select(e => e with { Source = [.. e.Ids.TakeLast(4)] })] : examples, 160, 5);
    }

    private static float[] Logits(GenerativeModel model)
    {
        using Workspace w = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(TokenBatch.Of([[3, 1, 4, 1, 5], [9, 2, 6]]), w)).ToArray();
    }
}
