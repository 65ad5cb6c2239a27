using Gradus.Tensors;
using Gradus.Training.Planning;

namespace Gradus.Training.Tests.Planning;

/// <summary>The published laws give the published figures, and a law that made the numbers is found again.</summary>
public sealed class ScalingLawTests
{
    // Table A3 of Hoffmann et al. by their third approach: 40 billion parameters for the budget of Gopher.
    [Fact]
    public void ThePublishedLawGivesThePublishedSize()
    {
        OptimalSize gopher = ScalingLaw.Hoffmann.Optimal(5.76e23);
        Assert.InRange(gopher.Parameters, 30e9, 45e9);
        Assert.Equal(5.76e23, gopher.Flops, 5.76e23 * 1e-9);
        // The replication asks for about twenty tokens a parameter there.
        OptimalSize again = ScalingLaw.Besiroglu.Optimal(5.76e23);
        Assert.InRange(again.Tokens / again.Parameters, 12, 30);
    }

    [Theory]
    [InlineData(1e18)]
    [InlineData(1e21)]
    public void NoOtherSizeIsBetter(double flops)
    {
        ScalingLaw law = ScalingLaw.Besiroglu;
        OptimalSize best = law.Optimal(flops);
        // The closed form: N = G (C/6)^(β/(α+β)) with G = (αA/(βB))^(1/(α+β)).
        double g = Math.Pow(law.Alpha * law.A / (law.Beta * law.B), 1 / (law.Alpha + law.Beta));
        double closed = g * Math.Pow(flops / 6, law.Beta / (law.Alpha + law.Beta));
        Assert.Equal(closed, best.Parameters, closed * 1e-4);
        foreach (double factor in new[] { 0.7, 0.95, 1.05, 1.4 })
            Assert.True(law.Loss(best.Parameters * factor, best.Tokens / factor) > best.Loss);
    }

    [Fact]
    public void TokensSeenAgainAreWorthLess()
    {
        Assert.Equal(100, ScalingLaw.Worth(100, 100));
        Assert.InRange(ScalingLaw.Worth(400, 100), 350, 400);
        Assert.InRange(ScalingLaw.Worth(1e9, 100), 1600, 1700);
        OptimalSize plenty = ScalingLaw.Besiroglu.Optimal(1e20), few = ScalingLaw.Besiroglu.Optimal(1e20, unique: 1e9);
        Assert.True(few.Loss > plenty.Loss);
    }

    [Fact]
    public void AModelThatIsUsedMuchIsSmallerAndCostsLessInAll()
    {
        ScalingLaw law = ScalingLaw.Besiroglu;
        OptimalSize best = law.Optimal(1e21), used = law.OptimalForUse(best.Loss, 1e12);
        Assert.Equal(best.Loss, used.Loss, 1e-6);
        Assert.True(used.Parameters < best.Parameters && used.Tokens > best.Tokens);
        Assert.True(used.Flops + (2e12 * used.Parameters) < best.Flops + (2e12 * best.Parameters));
        OptimalSize unused = law.OptimalForUse(best.Loss, 0);
        Assert.Equal(best.Parameters, unused.Parameters, best.Parameters * 0.01);
    }

    [Fact]
    public void ALawIsFoundAgain()
    {
        ScalingLaw truth = new(1.7, 420, 2100, 0.34, 0.37);
        List<ScalingRun> runs = [];
        foreach (double n in new[] { 1e6, 3e6, 1e7, 3e7, 1e8 })
        {
            foreach (double d in new[] { 2e7, 1e8, 5e8, 2e9 })
                runs.Add(new ScalingRun(n, d, truth.Loss(n, d) * Math.Exp(0.001 * CounterRandom.Normal(9, runs.Count))));
        }
        ScalingFit fit = ScalingFit.Of(runs, resamples: 50);
        Assert.InRange(fit.Error, 0, 0.002);
        Assert.Equal(truth.Alpha, fit.Law.Alpha, 0.02);
        Assert.Equal(truth.Beta, fit.Law.Beta, 0.02);
        (double low, double high) = fit.Interval(l => l.Alpha);
        Assert.InRange(truth.Alpha, low - 0.01, high + 0.01);
        Assert.True(high - low < 0.1);
        // The control: runs whose losses belong to other runs fit no law.
        ScalingRun[] shuffled = [.. runs.Select((r, i) => r with { Loss = runs[(i * 7) % runs.Count].Loss })];
        Assert.True(ScalingFit.Of(shuffled, resamples: 0).Error > 10 * fit.Error);
    }

    [Fact]
    public void TooFewRunsAreRefused()
    {
        ScalingRun[] runs = [.. Enumerable.Range(1, 5).Select(i => new ScalingRun(1e6 * i, 1e8 * i, 3))];
        Assert.Contains("at least 6 runs", Assert.Throws<InvalidDataException>(() => ScalingFit.Of(runs)).Message, StringComparison.Ordinal);
        ScalingRun[] oneSize = [.. Enumerable.Range(1, 8).Select(i => new ScalingRun(1e6, 1e8 * i, 3))];
        Assert.Throws<InvalidDataException>(() => ScalingFit.Of(oneSize));
    }

    [Fact]
    public void RanksShareWhatTheySayTheyShare()
    {
        TrainingPlan plan = TrainingPlan.Of(
            new Gradus.Models.LlamaConfig(61, HiddenSize: 48, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 24),
            new StepShape(48, 16),
            new TrainingOptions(4),
            Gradus.Testing.TestDevices.Get("reference"));
        Network slow = new(1e6), fast = new(1e12, 0);
        ClusterPlan[] eight = [.. Enum.GetValues<Sharding>().Select(s => ClusterPlan.Of(plan, 1, 8, fast, s))];
        MemoryPlan memory = plan.Memory;
        Assert.Equal(memory.Total, eight[0].MemoryPerRank);
        Assert.Equal(memory.Total - (7 / 8.0 * memory.Optimizer), eight[1].MemoryPerRank, 1);
        Assert.Equal(memory.Total - (7 / 8.0 * (memory.Optimizer + memory.Gradients)), eight[2].MemoryPerRank, 1);
        Assert.Equal(memory.Activations + ((memory.Total - memory.Activations) / 8.0), eight[3].MemoryPerRank, 1);
        Assert.All(eight, e => Assert.Equal(1, e.Efficiency, 1e-6));
        Assert.True(ClusterPlan.Of(plan, 0.01, 8, slow, Sharding.None).Efficiency < 0.2);
        Assert.Equal(1, ClusterPlan.Of(plan, 0.01, 1, slow, Sharding.Weights).Efficiency);
    }
}
