using System.Globalization;

namespace Gradus.Cli.Reports;

/// <summary>
/// What a model kept and lost from one state to the next: a row a task, a column a state, the first metric of each task, coloured by how far it is from
/// the first state. Differences inside two standard errors stay uncoloured.
/// </summary>
internal static class ForgettingMatrix
{
    private const int LeastTasks = 2;

    /// <summary>Writes the matrix where at least two tasks were measured on at least two states.</summary>
    public static void Write(HtmlWriter html, IReadOnlyList<EvaluationFile> evaluations)
    {
        string[] states = [.. evaluations.Select(f => f.Name).OfType<string>().Distinct()];
        IGrouping<string, EvaluationFile>[] tasks = [.. evaluations.Where(f => f.Name is not null).GroupBy(f => f.Task ?? "").Where(g => g.Select(f => f.Name).Distinct().Count() > 1)];
        if (states.Length < 2 || tasks.Length < LeastTasks)
            return;
        html.Add($"""
            <h4>Kept and forgotten</h4>
            <div class="scroll" tabindex="0" role="region" aria-label="Tasks by model state"><table class="metrics"><caption>The first metric of each task; green is better than {states[0]}, red is worse, as far as it is more than noise.</caption>
            <thead><tr><th scope="col">Task</th>
            """);
        foreach (string state in states)
            html.Add($"""<th scope="col">{state}</th>""");
        html.Add($"</tr></thead><tbody>");
        foreach (IGrouping<string, EvaluationFile> task in tasks)
            WriteRow(html, task.Key, states, [.. task]);
        html.Add($"</tbody></table></div>");
    }

    private static void WriteRow(HtmlWriter html, string task, string[] states, EvaluationFile[] files)
    {
        MetricValue? first = Value(files, states[0]);
        html.Add($"""<tr><th scope="row">{task} <small>{files[0].Metrics?.FirstOrDefault()?.Name}</small></th>""");
        foreach (string state in states)
        {
            if (Value(files, state) is not { Value: { } value } metric)
            {
                html.Add($"""<td><span class="count">not measured</span></td>""");
                continue;
            }
            (string colour, int strength) = Change(first, metric);
            html.Add($"""<td style="background:color-mix(in srgb, var({colour}) {strength.ToString(CultureInfo.InvariantCulture)}%, transparent)"><span class="value">{Figures.Number(value)}</span></td>""");
        }
        html.Add($"</tr>");
    }

    private static MetricValue? Value(EvaluationFile[] files, string state) => files.FirstOrDefault(f => f.Name == state)?.Metrics?.FirstOrDefault();

    // The colour is full where the difference is half of the first value.
    private static (string Colour, int Strength) Change(MetricValue? first, MetricValue value)
    {
        if (first?.Value is not { } from || value.Value is not { } to || value.Direction == 0 || from == to)
            return ("--better", 0);
        double noise = 2 * Math.Sqrt(Math.Pow(first.StandardError ?? 0, 2) + Math.Pow(value.StandardError ?? 0, 2));
        double gain = value.Direction * (to - from);
        return Math.Abs(gain) <= noise ? ("--better", 0) : (gain > 0 ? "--better" : "--worse", (int)Math.Clamp(100 * Math.Abs(gain) / Math.Max(1e-12, Math.Abs(from)), 8, 55));
    }
}
