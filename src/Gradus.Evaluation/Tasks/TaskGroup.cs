// Source: https://github.com/EleutherAI/lm-evaluation-harness, lm_eval/api/group.py and aggregate_groups.

namespace Gradus.Evaluation.Tasks;

/// <summary>A metric that a group takes from its members.</summary>
/// <param name="Metric">The metric's name.</param>
/// <param name="Filters">The filters; all that members have where null.</param>
/// <param name="WeightBySize">Whether a member counts by its examples; each counts the same otherwise.</param>
/// <param name="Aggregation"><c>mean</c>, the only one there is.</param>
public sealed record GroupMetric(string Metric, IReadOnlyList<string>? Filters = null, bool WeightBySize = true, string Aggregation = "mean");

/// <summary>Tasks under one name, with values of their own.</summary>
/// <param name="Name">The group's name.</param>
/// <param name="Members">Names of tasks and groups.</param>
/// <param name="Metrics">What is taken from the members; none for a mere list.</param>
public sealed record TaskGroup(string Name, IReadOnlyList<string> Members, IReadOnlyList<GroupMetric> Metrics)
{
    /// <summary>The tasks of the group and of the groups in it, in order, each once.</summary>
    /// <param name="groups">All groups by name.</param>
    /// <exception cref="InvalidDataException">A group contains itself.</exception>
    public IReadOnlyList<string> Tasks(IReadOnlyDictionary<string, TaskGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        List<string> tasks = [];
        Collect(this, []);
        return tasks;

        void Collect(TaskGroup group, IReadOnlyList<string> above)
        {
            if (above.Contains(group.Name))
                throw new InvalidDataException($"group {group.Name} contains itself: {string.Join(" → ", above)}.");
            foreach (string member in group.Members)
            {
                if (groups.TryGetValue(member, out TaskGroup? inner))
                    Collect(inner, [.. above, group.Name]);
                else if (!tasks.Contains(member))
                    tasks.Add(member);
            }
        }
    }

    /// <summary>The values of the group: means of its tasks' values, with pooled standard errors.</summary>
    /// <param name="members">The results of its tasks.</param>
    /// <returns>The values; <see cref="MetricValue.Count"/> is the sum of the examples of the tasks that have the metric.</returns>
    public IReadOnlyList<MetricValue> Values(IReadOnlyList<IReadOnlyList<MetricValue>> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        List<MetricValue> values = [];
        foreach (GroupMetric metric in Metrics)
        {
            IEnumerable<string> filters = metric.Filters ?? [.. members.SelectMany(m => m).Where(v => v.Name == metric.Metric).Select(v => v.Filter).Distinct().Order(StringComparer.Ordinal)];
            foreach (string filter in filters)
            {
                MetricValue[] found = [.. members.Select(m => m.FirstOrDefault(v => v.Name == metric.Metric && v.Filter == filter)).OfType<MetricValue>()];
                if (found.Length == 0)
                    continue;
                double sum = 0, weights = 0;
                foreach (MetricValue value in found)
                {
                    double weight = metric.WeightBySize ? value.Count : 1;
                    (sum, weights) = (sum + (value.Value * weight), weights + weight);
                }
                bool? higher = Array.TrueForAll(found, v => v.HigherIsBetter == found[0].HigherIsBetter) ? found[0].HigherIsBetter : null;
                values.Add(new MetricValue(metric.Metric, filter, sum / weights, PooledError(found), found.Sum(v => v.Count), higher, found[0].Settings));
            }
        }
        return values;
    }

    // √(Σ (n − 1)·se²·n / (Σn − k) / Σn), or null where a member has no standard error.
    private static double? PooledError(MetricValue[] values)
    {
        if (Array.Exists(values, v => v.StandardError is null))
            return null;
        double sum = 0;
        long size = 0;
        foreach (MetricValue value in values)
        {
            double error = value.StandardError!.Value;
            sum += (value.Count - 1) * (error * error) * value.Count;
            size += value.Count;
        }
        double pooled = Math.Sqrt(sum / (size - values.Length) / size);
        return double.IsFinite(pooled) ? pooled : null;
    }
}
