using System.Reflection;
using System.Text.Json.Serialization;
using Gradus.Tensors;
using Gradus.Training.Alignment;

namespace Gradus.Training.Tests.Alignment;

/// <summary>What every preference loss and every estimator of advantages promises.</summary>
public sealed class LossContractTests
{
    public static TheoryData<string> Kinds => [.. Derived(typeof(PreferenceLoss)).Keys.Where(k => k != "mixed")];

    public static TheoryData<string> Estimators => [.. Derived(typeof(AdvantageEstimator)).Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheDerivativeIsThatOfTheLoss(string kind)
    {
        PreferenceLoss loss = Make<PreferenceLoss>(kind);
        double[] chosen = Draw(1, 5), rejected = Draw(2, 5), refChosen = Draw(3, 5), refRejected = Draw(4, 5);
        const double h = 1e-6;
        double[] byChosen = new double[5], byRejected = new double[5];
        foreach (PairLoss l in loss.Losses(new PreferencePairs(chosen, rejected, refChosen, refRejected, 0.03)))
        {
            byChosen[l.ChosenOf] += l.Loss.Chosen;
            byRejected[l.RejectedOf] += l.Loss.Rejected;
        }
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal((Sum(Moved(chosen, i, h), rejected) - Sum(Moved(chosen, i, -h), rejected)) / (2 * h), byChosen[i], 1e-5);
            Assert.Equal((Sum(chosen, Moved(rejected, i, h)) - Sum(chosen, Moved(rejected, i, -h))) / (2 * h), byRejected[i], 1e-5);
        }

        double Sum(double[] c, double[] r) => loss.Losses(new PreferencePairs(c, r, refChosen, refRejected, 0.03)).Sum(l => l.Loss.Value);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void MakesTheChosenAnswerLikelierThanTheRejectedOne(string kind)
    {
        PreferenceLoss loss = Make<PreferenceLoss>(kind);
        // Discopop's slope has the wrong sign near 0, as discovered.
        double chosen = kind == "discopop" ? -11 : -1.2, rejected = -1, margin = chosen - rejected;
        for (int i = 0; i < 20; i++)
        {
            Dual l = loss.Losses(new PreferencePairs([chosen], [rejected], [-1.2], [-1], 0))[0].Loss;
            (chosen, rejected) = (Math.Min(-1e-3, chosen - (0.01 * l.Chosen)), Math.Min(-1e-3, rejected - (0.01 * l.Rejected)));
        }
        Assert.True(chosen - rejected > margin, $"{kind}: {chosen - rejected} and {margin}");
        Assert.True(loss.Reward(chosen, -1.2) - loss.Reward(chosen - 0.1, -1.2) > 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void StaysFiniteFarFromTheReference(string kind)
    {
        PreferenceLoss loss = Make<PreferenceLoss>(kind);
        foreach ((double c, double r) in new[] { (-1e-9, -400.0), (-400.0, -1e-9), (-300.0, -300.0) })
        {
            Dual l = loss.Losses(new PreferencePairs([c], [r], [-150], [-150], 0))[0].Loss;
            Assert.True(double.IsFinite(l.Value) && double.IsFinite(l.Chosen) && double.IsFinite(l.Rejected), $"{kind}: {l}");
        }
    }

    [Fact]
    public void SeveralLossesAddUpWithTheirWeights()
    {
        PreferencePairs pairs = new(Draw(1, 3), Draw(2, 3), Draw(3, 3), Draw(4, 3));
        MixedLoss mixed = new() { Parts = [new WeightedLoss(0.8) { Loss = new SigmoidLoss() }, new WeightedLoss(0.2) { Loss = new BcoPairLoss() }] };
        double expected = (0.8 * new SigmoidLoss().Losses(pairs).Sum(l => l.Loss.Value)) + (0.2 * new BcoPairLoss().Losses(pairs).Sum(l => l.Loss.Value));
        Assert.Equal(expected, mixed.Losses(pairs).Sum(l => l.Loss.Value), 1e-12);
    }

    [Theory]
    [MemberData(nameof(Estimators))]
    public void BetterAnswersHaveLargerAdvantagesAndEqualOnesNone(string kind)
    {
        AdvantageEstimator estimator = Make<AdvantageEstimator>(kind);
        Advantages given = estimator.Estimate(Answers(1, 0, 0, 0));
        Assert.Equal(4, given.Tokens.Count);
        Assert.All(given.Tokens, t => Assert.Equal(3, t.Count));
        Assert.True(given.Tokens[0][^1] > given.Tokens[1][^1]);
        Assert.Equal(given.Tokens[1], given.Tokens[2]);
        Assert.Equal(estimator.UsesCritic, given.Returns is not null);
        // A group of equal scores teaches nothing.
        Assert.All(estimator.Estimate(Answers(0.7, 0.7, 0.7, 0.7)).Tokens, t => Assert.InRange(t[0], -1e-6, 1e-6));

        static ScoredAnswers Answers(params double[] scores) => new(
            scores, 4, [.. scores.Select(s => (IReadOnlyList<double>)[0, 0, s])], [.. scores.Select(_ => (IReadOnlyList<double>)[scores.Average(), scores.Average(), scores.Average()])]);
    }

    [Theory]
    [InlineData(0.2, 0.2, 0, RatioLevel.Token, 0)]
    [InlineData(0.2, 0.3, 1.3, RatioLevel.Token, 0)]
    [InlineData(0.2, 0.2, 0, RatioLevel.Sequence, 0)]
    [InlineData(0.2, 0.2, 0, RatioLevel.Token, 5)]
    public void APolicysGradientIsThatOfItsLoss(double low, double high, double cap, RatioLevel level, double weightCap)
    {
        PolicyLoss loss = new(low, high, cap, level, weightCap, KlCoefficient: 0.1);
        double[] policy = Draw(5, 6, 0.3), sampled = Draw(6, 6, 0.3), reference = Draw(7, 6, 0.3), advantages = Draw(8, 6);
        TokenLosses given = loss.Of(policy, sampled, reference, advantages);
        const double h = 1e-6;
        for (int t = 0; t < 6; t++)
        {
            double slope = (Sum(Moved(policy, t, h)) - Sum(Moved(policy, t, -h))) / (2 * h);
            if (weightCap == 0)
                Assert.Equal(slope, given.Slopes[t] + given.Shared[t], 1e-6);
            else
                // The weight is a constant: only log π moves.
                Assert.Equal(-Math.Min(Math.Exp(policy[t] - sampled[t]), weightCap) * advantages[t] + (0.1 * (1 - Math.Exp(reference[t] - policy[t]))), given.Slopes[t], 1e-9);
        }

        double Sum(double[] p) => loss.Of(p, sampled, reference, advantages).Losses.Sum();
    }

    [Fact]
    public void TheCoefficientFollowsTheDivergence()
    {
        KlControl adaptive = new(0.2, Target: 6, Horizon: 10_000), fixedOne = new(0.2);
        Assert.Equal(0.2, fixedOne.Next(0.2, 60, 256));
        Assert.Equal(0.2 * (1 + (0.2 * 256 / 10_000)), adaptive.Next(0.2, 60, 256), 1e-12);
        Assert.Equal(0.2 * (1 - (0.2 * 256 / 10_000)), adaptive.Next(0.2, 0, 256), 1e-12);
        Assert.Equal(0.2, adaptive.Next(0.2, 6, 256), 1e-12);
    }

    private static Dictionary<string, Type> Derived(Type root) => root.GetCustomAttributes<JsonDerivedTypeAttribute>().ToDictionary(a => (string)a.TypeDiscriminator!, a => a.DerivedType);

    private static T Make<T>(string kind) => (T)Activator.CreateInstance(Derived(typeof(T))[kind], BindingFlags.OptionalParamBinding | BindingFlags.CreateInstance | BindingFlags.Public | BindingFlags.Instance,
        null, [.. Derived(typeof(T))[kind].GetConstructors().MaxBy(c => c.GetParameters().Length)!.GetParameters().Select(_ => Type.Missing)], null)!;

    private static double[] Draw(ulong key, int count, double scale = 1) => [.. Enumerable.Range(0, count).Select(i => -2.5 + (scale * CounterRandom.Normal(key, i) * 0.5))];

    private static double[] Moved(double[] values, int i, double by) => [.. values.Select((v, k) => k == i ? v + by : v)];
}
