using System.Globalization;

namespace Gradus.Training.Alignment;

/// <summary>What the figures of a run say that a person should look at.</summary>
/// <param name="Text">The alarm in words.</param>
/// <param name="Stops">Whether the run should end.</param>
public readonly record struct RewardAlarm(string Text, bool Stops = false);

/// <summary>
/// Watches the figures of learning from rewards for the known signs that a policy learns the reward rather than the task (Gao et al., "Scaling Laws
/// for Reward Model Overoptimization", 2023): the mean of the last steps is held against that of the first, or the best. Every alarm is given once.
/// </summary>
/// <param name="heldOut">The names of rewards that are logged but do not count: the policy never sees them.</param>
/// <param name="maxKl">Nats per answer from the reference at which the run ends; 0 for any.</param>
/// <param name="window">Steps of a mean, ≥ 1.</param>
public sealed class RewardWatch(IReadOnlyList<string> heldOut, double maxKl = 0, int window = 10)
{
    private readonly Dictionary<string, List<double>> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _given = [];

    /// <summary>Looks at a step.</summary>
    /// <param name="step">Its number.</param>
    /// <param name="metrics">Its figures.</param>
    /// <returns>New alarms.</returns>
    public IReadOnlyList<RewardAlarm> See(long step, IReadOnlyDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        foreach ((string name, double value) in metrics)
        {
            if (!_values.TryGetValue(name, out List<double>? list))
                _values[name] = list = [];
            list.Add(value);
        }
        List<RewardAlarm> alarms = [];
        if (maxKl > 0 && Last("kl") is { } far && far > maxKl)
            Give("max_kl", $"the policy is {far:0.0} nats per answer from its reference, more than max_kl ({maxKl:0.0}): the run ends", stops: true);
        bool rises = First("reward") is { } before && Last("reward") is { } now && now > before;
        foreach (string name in rises ? heldOut : [])
        {
            if (Best($"reward/{name}") is { } best && Last($"reward/{name}") is { } other && other < best.Value - Spread($"reward/{name}"))
                Give(name, $"the reward rises while the held-out reward {name} falls since step {step - (Count($"reward/{name}") - best.End):0}: the policy may be learning the reward rather than the task");
        }
        if (rises && Share("length") is > 1.5)
            Give("length", $"the reward rises and answers are {Share("length"):0.0} times as long as at first: look whether the reward likes length");
        if (Share("distinct_2") is < 0.7)
            Give("distinct_2", $"answers repeat themselves: distinct-2 is {Share("distinct_2"):0%} of what it was at first");
        if (Share("entropy") is < 0.2)
            Give("entropy", $"the policy hardly varies any more: its entropy is {Share("entropy"):0%} of what it was at first");
        if (First("end_rate") is { } ended && Last("end_rate") is { } ends && ends < ended - 0.2)
            Give("end_rate", $"only {ends:0%} of the answers end by themselves ({ended:0%} at first)");
        if (Last("dead_groups") is > 0.9)
            Give("dead_groups", $"in nine of ten groups all answers have the same reward, which teaches nothing: the task is too hard, too easy, or the policy has lost its variety");
        return alarms;

        void Give(string what, FormattableString text, bool stops = false)
        {
            if (_given.Add(what))
                alarms.Add(new RewardAlarm($"step {step}: {text.ToString(CultureInfo.InvariantCulture)}", stops));
        }
    }

    private int Count(string name) => _values.TryGetValue(name, out List<double>? list) ? list.Count : 0;

    // Windows do not overlap: with fewer than two there is nothing to compare.
    private double? First(string name) => Count(name) >= 2 * window ? _values[name].Take(window).Average() : null;

    private double? Last(string name) => Count(name) >= window ? _values[name].TakeLast(window).Average() : null;

    private double? Share(string name) => First(name) is { } first && first > 0 && Last(name) is { } last ? last / first : null;

    // The best mean of a window, and where it ends.
    private (double Value, int End)? Best(string name)
    {
        if (Count(name) < 2 * window)
            return null;
        List<double> list = _values[name];
        (double, int) best = (double.NegativeInfinity, 0);
        for (int end = window; end <= list.Count - window; end++)
        {
            double mean = list.Skip(end - window).Take(window).Average();
            best = mean > best.Item1 ? (mean, end) : best;
        }
        return best;
    }

    // Twice the standard error of a window's mean.
    private double Spread(string name)
    {
        double[] last = [.. _values[name].TakeLast(window)];
        double mean = last.Average();
        return 2 * Math.Sqrt(last.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, last.Length - 1) / last.Length);
    }
}
