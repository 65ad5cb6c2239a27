using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;

namespace Gradus.Training.Tests.Objectives;

/// <summary>What every objective promises.</summary>
public sealed class ObjectiveContractTests
{
    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    [Fact]
    public void EveryObjectiveHasACase()
    {
        HashSet<Type> covered = [.. ObjectiveCases.Known.Select(name => With(name, (_, objective) => objective.GetType()))];
        Assert.All(typeof(Objective).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Objective)) && !t.IsAbstract), t => Assert.Contains(t, covered));
    }

    [Theory]
    [MemberData(nameof(ObjectiveCases.Names), MemberType = typeof(ObjectiveCases))]
    public void TheSameSeedGivesTheSameBitsWithAnyNumberOfThreadsAndResumed(string name)
    {
        string[] results = [.. new (int Threads, int Stop)[] { (1, 0), (2, 0), (3, 0), (1, 2) }.Select(run =>
        {
            using Threads threads = new(run.Threads);
            return Train(name, threads.Device, run.Stop);
        })];
        Assert.All(results, r => Assert.Equal(results[0], r));
    }

    [Theory]
    [MemberData(nameof(ObjectiveCases.Names), MemberType = typeof(ObjectiveCases))]
    public void Learns(string name)
    {
        With(name, (model, objective) =>
        {
            using Trainer trainer = new(model, objective, Options(80) with { Optimizer = new AdamW(5e-3) });
            EvaluationReport? evaluated = trainer.Evaluate(), again = trainer.Evaluate();
            Assert.Equal((evaluated?.Loss, evaluated?.Targets), (again?.Loss, again?.Targets));
            Assert.Equal(evaluated?.Metrics, again?.Metrics);
            Assert.True(evaluated is null || (evaluated.Targets > 0 && double.IsFinite(evaluated.Loss)));
            Assert.Equal(evaluated is null, !objective.Validation().Any());
            // Where there is a reward, the loss says nothing.
            double[] losses = [.. Enumerable.Range(0, 80).Select(_ => trainer.Step()).Select(r => r.Metrics.TryGetValue("reward", out double reward) && name.StartsWith("own", StringComparison.Ordinal) ? 1 - reward : r.Loss)];
            // Words behind masks take longer than this to learn.
            double least = name.Contains("sentence", StringComparison.Ordinal) ? 0.995 : 0.97;
            Assert.True(losses[^10..].Average() < least * losses[..5].Average(), $"{name}: {losses[..5].Average()} at first, {losses[^10..].Average()} at last");
            return losses;
        });
    }

    [Theory]
    [MemberData(nameof(ObjectiveCases.Names), MemberType = typeof(ObjectiveCases))]
    public void TheGradientIsThatOfTheLoss(string name)
    {
        With(name, (model, objective) =>
        {
            using Workspace w = model.Parts.Store.NewScratch(Precision.F32);
            Parameter[] parameters = [.. model.TrainableParameters, .. objective.Parameters];
            TrainingBatch batch = objective.Updates(new StepContext(model, 0, 11, RankGroup.Alone)).First().Batches[0];
            Assert.Equal(objective.Terms.Count, batch.Weights.Count);
            Assert.All(batch.Weights, weight => Assert.True(weight > 0));
            Tape tape = w.StartTape();
            tape.Backward(Sums().Add(objective.Losses(model, batch, new LossContext(w, 11, true, false, new MetricSums()))));
            w.Reset();
            w.StopTape();
            // Along the gradient's own direction the slope is its norm; a generator's draws jump, so that the step must be small there.
            double norm = Gradients.Norm(parameters);
            float[][] values = [.. parameters.Select(p => p.Value.ToArray())], gradients = [.. parameters.Select(p => p.Gradient?.ToArray() ?? new float[p.Shape.Count])];
            const double step = 2e-3;
            double slope = (At(step) - At(-step)) / (2 * step);
            Assert.True(Math.Abs(slope - norm) <= 0.02 * norm, $"{name}: slope {slope}, norm of the gradient {norm}");
            return slope;

            double At(double distance)
            {
                for (int p = 0; p < parameters.Length; p++)
                {
                    Span<float> value = parameters[p].Value.Span();
                    for (int i = 0; i < value.Length; i++)
                        value[i] = (float)(values[p][i] + (distance * gradients[p][i] / norm));
                    parameters[p].MarkChanged();
                }
                LossSums sums = Sums();
                sums.Add(objective.Losses(model, batch, new LossContext(w, 11, false, false, new MetricSums())));
                w.Reset();
                return sums.Loss;
            }

            LossSums Sums()
            {
                LossSums sums = new(objective.Terms);
                sums.Weights = sums.AddWeights([batch]);
                return sums;
            }
        }, dropout: 0);
    }

    private static TrainingOptions Options(int steps) => new(steps, ClipNorm: 1, Seed: 7) { Optimizer = new AdamW(3e-3) };

    private static string Train(string name, Device device, int stop)
    {
        const int steps = 4;
        using TestFolder folder = new();
        List<string> figures = [];
        for (int from = 0; from < steps;)
        {
            int until = from == 0 && stop > 0 ? stop : steps, start = from;
            from = With(name, (model, objective) =>
            {
                using Trainer trainer = new(model, objective, Options(steps));
                if (start > 0)
                    TrainerState.Read(folder["checkpoint"], trainer, 7);
                for (int i = start; i < until; i++)
                {
                    StepReport report = trainer.Step();
                    figures.Add($"{report.Loss:R} {report.GradientNorm:R} {string.Join(' ', report.Metrics.Select(m => $"{m.Key} {m.Value:R}"))}");
                }
                if (until == steps)
                {
                    figures.Add(TinyTraining.Sha([.. trainer.Parameters.Select(p => p.Value), .. trainer.Optimizer.State.Values]));
                    return until;
                }
                using AtomicFolder checkpoint = AtomicFolder.Begin(folder["checkpoint"]);
                Checkpoint.Write(checkpoint, model);
                TrainerState.Write(checkpoint, trainer, 7, 0);
                checkpoint.Commit();
                return until;
            }, device: device);
        }
        return string.Join('\n', figures);
    }

    private static T With<T>(string name, Func<LanguageModel, Objective, T> use, Device? device = null, float dropout = 0.1f)
    {
        (LanguageModel model, Objective objective) = ObjectiveCases.Make(name, device ?? Device, dropout);
        try
        {
            return use(model, objective);
        }
        finally
        {
            (objective as IDisposable)?.Dispose();
            model.Dispose();
        }
    }
}
