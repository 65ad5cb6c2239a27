namespace Gradus.Evaluation.Metrics;

/// <summary>The text metrics known by name. A new one is a file of its own and a line here; the contract tests then find it.</summary>
public static class MetricRegistry
{
    /// <summary>All metrics with their usual settings; names are unique.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        Rouge.N(1),
        Rouge.N(2),
        Rouge.L(),
        Rouge.Lsum(),
        new Bleu(),
        new Chrf(),
        new Chrf(wordOrder: 2),
        new Ter(),
        Squad.ExactMatch,
        Squad.F1,
        Squad.ExactMatchV2,
        Squad.F1V2,
        new ExactMatch(),
        new Meteor(),
        new LabelF1(),
        new LabelExactMatch(),
    ];

    /// <summary>The metric of a name.</summary>
    /// <param name="name">The name, as in <see cref="Metric.Name"/>; case counts.</param>
    /// <exception cref="ArgumentException">No metric has the name; the message lists those there are.</exception>
    public static Metric Get(string name)
        => All.FirstOrDefault(metric => metric.Name == name)
           ?? throw new ArgumentException($"There is no metric \"{name}\"; choose one of {string.Join(", ", All.Select(m => m.Name))}.");
}
