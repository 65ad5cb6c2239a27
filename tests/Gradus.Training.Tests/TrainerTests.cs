using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests;

public sealed class TrainerTests
{
    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    [Theory]
    [MemberData(nameof(TinyTraining.Kinds), MemberType = typeof(TinyTraining))]
    public void TheSameSeedGivesTheSameBitsWithAnyNumberOfThreads(string kind)
    {
        string[] results = [.. new[] { 1, 1, 2, 3 }.Select(count =>
        {
            using Threads threads = new(count);
            return TinyTraining.Train(kind, threads.Device);
        })];
        Assert.All(results, r => Assert.Equal(results[0], r));
    }

    [Fact]
    public void OtherSeedsGiveOtherBits()
    {
        string first = TinyTraining.Train("gpt2", Device);
        Assert.NotEqual(first, TinyTraining.Train("gpt2", Device, seed: 4));
        Assert.NotEqual(first, TinyTraining.Train("gpt2", Device, options: TinyTraining.Options("gpt2") with { Seed = 8 }));
    }

    [Fact]
    public void AutomaticPrecisionGivesTheBitsOfTheOneItStandsFor()
    {
        TrainingOptions automatic = TinyTraining.Options("gpt2") with { Precision = Precision.Auto }, decided = automatic.On(Device);
        Assert.Equal(Device.FastPrecision, decided.Precision);
        Assert.Equal(TinyTraining.Train("gpt2", Device, options: decided), TinyTraining.Train("gpt2", Device, options: automatic));
    }

    [Fact]
    public void TrainingLearns()
    {
        (GenerativeModel model, _) = TinyTraining.Create("llama", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("llama", steps: 60));
        double before = trainer.Evaluate()!.Loss;
        for (int i = 0; i < 60; i++)
            trainer.Step();
        // The language has two successors for every token: ln 2 is the best there is.
        Assert.InRange(before, Math.Log(TinyTraining.Vocabulary) - 0.3, Math.Log(TinyTraining.Vocabulary) + 0.3);
        Assert.InRange(trainer.Evaluate()!.Loss, Math.Log(2) - 0.05, before - 1);
    }

    [Fact]
    public void TheBalancingLossCountsInTrainingWhereTheConfigurationAsksForIt()
    {
        (double With, double Without) trained = (First(true, evaluate: false), First(false, evaluate: false));
        // Each layer's share of a token's two experts sums to 2, so the loss lies at 2 or above; the coefficient is 0.1.
        Assert.InRange(trained.With - trained.Without, 0.1999, 0.4);
        Assert.Equal(First(false, evaluate: true), First(true, evaluate: true));

        static double First(bool balanced, bool evaluate)
        {
            using LanguageModel model = Checkpoint.Create(TinyTraining.Mixtral(balanced), 3, Device);
            model.SetTrainable(true);
            using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("mixtral"));
            return evaluate ? trainer.Evaluate()!.Loss : trainer.Step().Loss;
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("llama lora")]
    public void MicroBatchesAddUpToOneBatchByTheirTargets(string kind)
    {
        Example[] examples = [.. TinyTraining.Examples(6).Select((e, i) => e with { Counts = [.. e.Ids.Select((_, t) => t % (i + 1) == 0)] })];
        MicroBatch whole = Pack(examples);
        MicroBatch[] parts = [Pack(examples[..1]), Pack(examples[1..4]), Pack(examples[4..])];
        Assert.Equal(whole.TargetCount, parts.Sum(p => p.TargetCount));
        Assert.Equal(3, parts.Select(p => p.TargetCount).Distinct().Count());
        (double loss, float[][] gradients) = TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(whole));
        (double sum, float[][] accumulated) = TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(parts));
        Assert.Equal(loss, sum, 1e-5 * loss);
        TinyTraining.Close(gradients, accumulated, 1e-4);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void PackedExamplesDoNotSeeEachOther(string kind)
    {
        Example[] examples = TinyTraining.Examples(5);
        (double packed, float[][] gradients) = TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(Pack(examples)));
        (double alone, float[][] separate) = TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches([.. examples.Select(e => Pack([e]))]));
        Assert.Equal(alone, packed, 1e-5 * alone);
        TinyTraining.Close(separate, gradients, 1e-4);

        // The same in another order, and against one long document, which is not the same.
        (double reversed, _) = TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(Pack([.. examples.Reverse()])));
        Assert.Equal(packed, reversed, 1e-5 * packed);
        MicroBatch apart = Pack([.. examples.OrderBy(e => e.Ids.Length).Take(2)]);
        Assert.InRange(apart.Tokens.Count, 8, TinyTraining.Context);
        MicroBatch joined = new(new TokenBatch(apart.Tokens.Ids), apart.Targets);
        Assert.NotEqual(
            TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(apart)).Loss,
            TinyTraining.GradientsOf(kind, Device, new GivenMicroBatches(joined)).Loss,
            1e-5);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("gpt2 lora")]
    [InlineData("llama lora")]
    [InlineData("lstm")]
    [InlineData("gru")]
    public void RecomputedActivationsGiveTheSameGradientsBitForBit(string kind)
    {
        (double kept, float[][] gradients) = TinyTraining.GradientsOf(kind, Device, TinyTraining.Objective(), recompute: false, dropout: 0.2f);
        (double again, float[][] recomputed) = TinyTraining.GradientsOf(kind, Device, TinyTraining.Objective(), recompute: true, dropout: 0.2f);
        Assert.Equal(kept, again);
        Assert.Equal(gradients.Length, recomputed.Length);
        for (int p = 0; p < gradients.Length; p++)
            Assert.Equal(gradients[p], recomputed[p]);
    }

    [Fact]
    public void RecomputingTakesLessMemory()
    {
        long[] peaks = [.. new[] { false, true }.Select(recompute =>
        {
            (GenerativeModel model, _) = TinyTraining.Create("llama", Device);
            using GenerativeModel owned = model;
            using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("llama") with { Recompute = recompute });
            trainer.Step();
            return trainer.PeakActivationBytes;
        })];
        Assert.True(peaks[1] < 0.8 * peaks[0], $"{peaks[1]} of {peaks[0]} bytes");
    }

    [Fact]
    public void GradientsAreCutToTheLargestNormAndReportedAsTheyWere()
    {
        (double norm, double moved) = Step(clip: 0);
        Assert.Equal(norm, moved, 1e-3 * norm);
        (double same, double cut) = Step(clip: norm / 10);
        Assert.Equal(norm, same, 1e-9);
        Assert.Equal(norm / 10, cut, 1e-3 * norm);
        Assert.Equal(norm, Step(clip: norm * 10).Moved, 1e-3 * norm);

        static (double Norm, double Moved) Step(double clip)
        {
            (GenerativeModel model, _) = TinyTraining.Create("llama", Device);
            using GenerativeModel owned = model;
            using Trainer trainer = new(model, TinyTraining.Objective(), new TrainingOptions(Steps: 1, ClipNorm: clip) { Optimizer = new Sgd(LearningRate: 1) });
            float[][] before = [.. trainer.Parameters.Select(p => p.Value.ToArray())];
            double norm = trainer.Step().GradientNorm;
            double squares = trainer.Parameters.Select((p, i) => p.Value.ToArray().Zip(before[i], (a, b) => (double)(a - b) * (a - b)).Sum()).Sum();
            return (norm, Math.Sqrt(squares));
        }
    }

    [Fact]
    public void ALossThatIsNotANumberStopsBeforeTheUpdate()
    {
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, new BrokenFrom(2, TinyTraining.Objective()), TinyTraining.Options("gpt2"));
        trainer.Step();
        trainer.Step();
        string parameters = TinyTraining.Sha(trainer.Parameters.Select(p => p.Value)), state = TinyTraining.Sha(trainer.Optimizer.State.Values);
        for (int again = 0; again < 2; again++)
        {
            TrainingDivergedException e = Assert.Throws<TrainingDivergedException>(trainer.Step);
            Assert.Equal(3, e.Step);
            Assert.StartsWith("Step 3: the loss is NaN", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
            Assert.Equal(2, trainer.Steps);
            Assert.All(trainer.Parameters, p => Assert.Null(p.Gradient));
            Assert.Equal(parameters, TinyTraining.Sha(trainer.Parameters.Select(p => p.Value)));
            Assert.Equal(state, TinyTraining.Sha(trainer.Optimizer.State.Values));
        }
    }

    [Fact]
    public void ParametersAndEvaluationsThatAreNotNumbersAreRefused()
    {
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("gpt2"));
        trainer.Step();
        trainer.ThrowIfDiverged();
        trainer.Parameters[0].Value.Span().Fill(float.PositiveInfinity);
        trainer.Parameters[0].MarkChanged();
        Assert.Contains("the parameter transformer.wte.weight is no longer finite", Assert.Throws<TrainingDivergedException>(trainer.ThrowIfDiverged).Message, StringComparison.Ordinal);
        Assert.Equal(1, Assert.Throws<TrainingDivergedException>(() => trainer.Evaluate()).Step);
    }

    [Fact]
    public void EvaluatingChangesNothing()
    {
        string plain = TinyTraining.Train("gpt2", Device);
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("gpt2"));
        for (int i = 0; i < 4; i++)
        {
            double loss = trainer.Evaluate()!.Loss;
            Assert.Equal(loss, trainer.Evaluate()!.Loss);
            trainer.Step();
            trainer.Evaluate();
        }
        Assert.StartsWith(
            $"{TinyTraining.Sha(trainer.Parameters.Select(p => p.Value))} {TinyTraining.Sha(trainer.Optimizer.State.Values)}", plain, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEvaluationCanBeGivenUp()
    {
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("gpt2"));
        Assert.Null(trainer.Evaluate(new CancellationToken(canceled: true)));
        Assert.Equal(TinyTraining.Examples(8, seed: 12).Sum(e => e.Ids.Length - 1), trainer.Evaluate()!.Targets);
    }

    [Fact]
    public void AdaptersTrainAndNothingElse()
    {
        (GenerativeModel model, ModelAdapter? adapter) = TinyTraining.Create("llama lora", Device);
        string before = TinyTraining.Sha(model.Parameters.Select(p => p.Value)), adapted = TinyTraining.Sha(adapter!.Tensors.Values);
        using (Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("llama lora")))
        {
            Assert.Equal(adapter.Tensors.Count, trainer.Parameters.Count);
            trainer.Step();
            trainer.Step();
        }
        Assert.Equal(before, TinyTraining.Sha(model.Parameters.Select(p => p.Value)));
        Assert.NotEqual(adapted, TinyTraining.Sha(adapter.Tensors.Values));
        adapter.Dispose();
        model.Dispose();
    }

    [Fact]
    public void AModelWithNothingToTrainIsRefused()
    {
        (GenerativeModel model, _) = TinyTraining.Create("gpt2", Device);
        using GenerativeModel owned = model;
        model.SetTrainable(false);
        Assert.Throws<InvalidOperationException>(() => new Trainer(model, TinyTraining.Objective(), new TrainingOptions()));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama lora")]
    public void StepsDoNotTakeMoreAndMoreMemory(string kind)
    {
        (GenerativeModel model, ModelAdapter? adapter) = TinyTraining.Create(kind, Device);
        int[] text = [.. TinyTraining.Examples(40).SelectMany(e => e.Ids)];
        NextToken objective = new(new RandomBlocks(text, TinyTraining.Context, 4, 1), accumulation: 2);
        using (Trainer trainer = new(model, objective, TinyTraining.Options(kind, steps: 40)))
        {
            Allocated(trainer);
            long first = Allocated(trainer), reserved = trainer.ReservedActivationBytes, second = Allocated(trainer);
            Assert.True(second <= first + 4096, $"10 steps allocated {first} bytes, the next 10 {second}");
            Assert.Equal(reserved, trainer.ReservedActivationBytes);
        }
        adapter?.Dispose();
        model.Dispose();

        static long Allocated(Trainer trainer)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10; i++)
                trainer.Step();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void MemorySettlesWithPackedBatchesOfDifferentSizes()
    {
        (GenerativeModel model, _) = TinyTraining.Create("llama", Device);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, TinyTraining.Objective(), TinyTraining.Options("llama", steps: 100));
        for (int i = 0; i < 100; i++)
            trainer.Step();
        Assert.True(trainer.ReservedActivationBytes <= 8 * trainer.PeakActivationBytes, $"{trainer.ReservedActivationBytes} bytes reserved for a peak of {trainer.PeakActivationBytes}");
    }

    private static MicroBatch Pack(Example[] examples) => Assert.Single(new PackedExamples(examples, 10_000, 0).All());
}
