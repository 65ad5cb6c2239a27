using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Objectives;

/// <summary>One computation of a loss, as its objective sees it.</summary>
public sealed class LossContext
{
    private readonly MetricSums _metrics;
    private readonly bool _recompute;
    private ulong _runs;

    internal LossContext(Workspace workspace, ulong key, bool training, bool recompute, MetricSums metrics)
    {
        Workspace = workspace;
        Key = key;
        Training = training;
        _recompute = recompute;
        _metrics = metrics;
    }

    /// <summary>Where the values live until the micro-batch is done.</summary>
    public Workspace Workspace { get; }

    /// <summary>What to derive all random numbers of the micro-batch from.</summary>
    public ulong Key { get; }

    /// <summary>Whether a backward pass follows; dropout is on then.</summary>
    public bool Training { get; }

    /// <summary>A forward pass of a model over tokens.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="dropout">Whether dropout is on while training: not for a reference, a teacher, or a policy whose probabilities are compared.</param>
    public Pass Pass(TokenBatch tokens, bool dropout = true)
    {
        Pass pass = new(tokens, Workspace) { Recompute = _recompute && Training };
        // The first pass has the key itself.
        if (Training && dropout)
            pass.Train(_runs++ == 0 ? Key : CounterRandom.Derive(Key, _runs));
        return pass;
    }

    /// <summary>Adds to a metric, which is logged as the sum of its sums over the sum of its weights.</summary>
    /// <param name="name">Its name: <c>accuracy</c>, <c>rewards/chosen</c>.</param>
    /// <param name="sum">Over what this micro-batch counts.</param>
    /// <param name="weight">How much it counts.</param>
    public void Report(string name, double sum, double weight = 1) => _metrics.Add(name, sum, weight);
}

/// <summary>Sums of metrics and their weights, in the order in which they were first reported.</summary>
internal sealed class MetricSums
{
    private readonly List<string> _names = [];
    private readonly Dictionary<string, (double Sum, double Weight)> _sums = new(StringComparer.Ordinal);

    public void Add(string name, double sum, double weight)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_sums.TryGetValue(name, out (double Sum, double Weight) so))
        {
            _sums[name] = (so.Sum + sum, so.Weight + weight);
            return;
        }
        _names.Add(name);
        _sums[name] = (sum, weight);
    }

    /// <summary>The metrics that count at all.</summary>
    public IReadOnlyDictionary<string, double> Means(RankGroup ranks)
    {
        double[] values = [.. _names.SelectMany(n => new[] { _sums[n].Sum, _sums[n].Weight })];
        ranks.Sum(values);
        OrderedDictionary<string, double> means = new(StringComparer.Ordinal);
        for (int i = 0; i < _names.Count; i++)
        {
            if (values[(2 * i) + 1] != 0)
                means[_names[i]] = values[2 * i] / values[(2 * i) + 1];
        }
        return means;
    }
}
