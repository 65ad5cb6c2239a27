// The evaluations of a run: one table a task with a column for each model state, the difference with its standard error, and a
// few answers beside their references.
namespace Gradus.Cli.Reports;

internal static class EvaluationSection
{
    private const int MostExamples = 3;
    private const int LongestText = 3000;

    /// <summary>All evaluations of one task, the earliest state of the model first.</summary>
    private sealed record TaskGroup(string Task, IReadOnlyList<EvaluationFile> Files);

    public static void Write(ReportPage page, string id, RunContents run)
    {
        if (run.Evaluations.Count == 0)
            return;
        page.AddToContents($"{id}-evaluation", "Evaluation", 2);
        page.Main.Add($"""<h3 id="{id}-evaluation">Evaluation</h3>""");
        ForgettingMatrix.Write(page.Main, run.Evaluations);
        foreach (TaskGroup group in Groups(run.Evaluations))
        {
            WriteTable(page.Main, group);
            WriteExamples(page.Main, group);
        }
    }

    /// <summary>The change of the first known-direction metric from the first to the last state, in words; null where there is no such pair.</summary>
    public static (string Metric, string Change)? Headline(IReadOnlyList<EvaluationFile> evaluations)
    {
        foreach (TaskGroup group in Groups(evaluations).Where(group => group.Files.Count > 1))
        {
            string[] names = [.. MetricNames(group).Where(name => Direction(group, name) != 0)];
            string? metric = Array.Find(names, name => name.Equals("ROUGE-L", StringComparison.OrdinalIgnoreCase)) ?? names.FirstOrDefault();
            if (metric is not null && Find(group.Files[0], metric)?.Value is { } first && Find(group.Files[^1], metric)?.Value is { } last)
                return (metric, $"{Figures.Number(first)} → {Figures.Number(last)}");
        }
        return null;
    }

    private static IEnumerable<TaskGroup> Groups(IReadOnlyList<EvaluationFile> evaluations) =>
        evaluations.GroupBy(file => file.Task ?? "").Select(files => new TaskGroup(files.Key, [.. files]));

    private static IEnumerable<string> MetricNames(TaskGroup group) =>
        group.Files.SelectMany(file => file.Metrics ?? []).Select(metric => metric?.Name).OfType<string>().Distinct();

    private static int Direction(TaskGroup group, string metric) => group.Files.Select(file => Find(file, metric)).FirstOrDefault(value => value?.HigherIsBetter is not null)?.Direction ?? 0;

    // sd of the differences / √n over the examples that the first and the last state both answered.
    private static double? PairedError(TaskGroup group, string metric)
    {
        Dictionary<string, double> first = Scores(group.Files[0], metric), last = Scores(group.Files[^1], metric);
        double[] differences = [.. first.Where(s => last.ContainsKey(s.Key)).Select(s => last[s.Key] - s.Value)];
        return differences.Length < 2 ? null : Evaluation.Statistics.Sample.StandardError(differences);
    }

    private static Dictionary<string, double> Scores(EvaluationFile file, string metric)
    {
        Dictionary<string, double> scores = [];
        foreach (EvaluatedExample example in (file.Samples ?? []).OfType<EvaluatedExample>())
        {
            foreach ((string name, double score) in example.Numbers)
            {
                if (name == metric)
                    scores[example.Key] = score;
            }
        }
        return scores;
    }

    private static MetricValue? Find(EvaluationFile file, string metric) => file.Metrics?.FirstOrDefault(value => value?.Name == metric);

    private static string NameOf(EvaluationFile file) => string.IsNullOrWhiteSpace(file.Name) ? "result" : file.Name;

    private static void WriteTable(HtmlWriter html, TaskGroup group)
    {
        string[] metrics = [.. MetricNames(group)];
        string task = group.Task.Length == 0 ? "Evaluation" : group.Task;
        if (metrics.Length == 0)
        {
            html.Add($"""<p class="note">{task}: the files of eval/ hold no metrics.</p>""");
            return;
        }
        bool compares = group.Files.Count > 1;
        html.Add($"""
            <div class="scroll" tabindex="0" role="region" aria-label="{task}"><table class="metrics"><caption>{task}</caption>
            <thead><tr><th scope="col">Metric</th>
            """);
        foreach (EvaluationFile file in group.Files)
            html.Add($"""<th scope="col">{NameOf(file)}<small>{file.Model}</small></th>""");
        if (compares)
            html.Add($"""<th scope="col">Difference<small>{NameOf(group.Files[^1])} − {NameOf(group.Files[0])}</small></th>""");
        html.Add($"</tr></thead><tbody>");
        foreach (string metric in metrics)
            WriteRow(html, group, metric, compares);
        html.Add($"</tbody></table></div>");
        string difference = compares ? "; that of the difference is of paired examples where both answered the same ones, and else takes the two as independent, which is too wide rather than too narrow" : "";
        html.Add($"""<p class="count">± is the standard error of the mean{difference}.</p>""");
    }

    private static void WriteRow(HtmlWriter html, TaskGroup group, string metric, bool compares)
    {
        MetricValue?[] values = [.. group.Files.Select(file => Find(file, metric))];
        double[] finite = [.. values.Select(value => value?.Value ?? double.NaN).Where(double.IsFinite)];
        double scale = finite.Length == 0 ? 0 : finite.Max(Math.Abs);
        int direction = Direction(group, metric);
        bool share = direction > 0 && finite.All(value => value is >= 0 and <= 1);
        html.Add($"""<tr><th scope="row">{metric}</th>""");
        foreach (MetricValue? value in values)
        {
            if (value?.Value is not { } v)
            {
                html.Add($"""<td><span class="count">not measured</span></td>""");
                continue;
            }
            html.Add($"""<td><span class="value">{Figures.Number(v, scale)}</span><span class="error">{Error(value.StandardError, scale)}</span>""");
            if (share && double.IsFinite(v))
                html.Add($"""<span class="meter" aria-hidden="true"><i style="width:{(int)Math.Round(v * 100)}%"></i></span>""");
            html.Add($"</td>");
        }
        if (compares)
            WriteDifference(html, direction, values[0], values[^1], PairedError(group, metric), scale);
        html.Add($"</tr>");
    }

    private static string Error(double? standardError, double scale) =>
        standardError is { } error && double.IsFinite(error) ? $" ± {Figures.Number(error, scale)}" : "";

    private static void WriteDifference(HtmlWriter html, int direction, MetricValue? first, MetricValue? last, double? paired, double scale)
    {
        double difference = (last?.Value ?? double.NaN) - (first?.Value ?? double.NaN);
        if (!double.IsFinite(difference))
        {
            html.Add($"""<td><span class="count">–</span></td>""");
            return;
        }
        double? error = paired ?? (first?.StandardError is { } a && last?.StandardError is { } b ? Math.Sqrt((a * a) + (b * b)) : null);
        (string style, string verdict) = Verdict(difference, direction, error);
        html.Add($"""<td class="difference {style}"><span class="value">{Figures.Difference(difference, scale)}</span><span class="error">{Error(error, scale)}</span><span class="verdict">{verdict}</span></td>""");
    }

    /// <summary>Better or worse only beyond two standard errors of the difference, where that is known, and where the metric says which way is better.</summary>
    private static (string Style, string Text) Verdict(double difference, int direction, double? error) => (difference * direction) switch
    {
        _ when difference == 0 => ("", ""),
        _ when error is { } e && double.IsFinite(e) && Math.Abs(difference) < 2 * e => ("", "within the noise"),
        > 0 => ("better", "better"),
        < 0 => ("worse", "worse"),
        _ => ("", ""),
    };

    private static void WriteExamples(HtmlWriter html, TaskGroup group)
    {
        EvaluationFile? source = group.Files.FirstOrDefault(file => (file.Samples ?? []).Any(s => s?.Prediction is not null));
        EvaluatedExample[] examples = [.. (source?.Samples ?? []).OfType<EvaluatedExample>().Where(s => s.Prediction is not null)];
        if (examples.Length == 0)
            return;
        int shown = Math.Min(examples.Length, MostExamples);
        string which = shown < examples.Length ? $"The first {shown} of {Figures.Count(examples.Length)}, not selected." : "";
        html.Add($"""<h4>Examples</h4><p class="count">{which}</p><div class="examples">""");
        foreach (EvaluatedExample example in examples.Take(shown))
        {
            html.Add($"""<article class="example"><div><h5>Prompt</h5>""");
            WriteText(html, example.Prompt);
            html.Add($"""</div><div><h5>Reference</h5>""");
            WriteText(html, example.Reference?.ToString());
            foreach (EvaluationFile file in group.Files)
            {
                if (file.Samples?.FirstOrDefault(answer => answer is not null && answer.Key == example.Key) is { } answer)
                    WriteAnswer(html, NameOf(file), answer);
            }
            html.Add($"</div></article>");
        }
        html.Add($"</div>");
    }

    private static void WriteAnswer(HtmlWriter html, string name, EvaluatedExample answer)
    {
        html.Add($"""<h5>{name}""");
        foreach ((string metric, double score) in answer.Numbers.Take(4))
            html.Add($"""<span class="score">{metric} {Figures.Number(score)}</span>""");
        html.Add($"</h5>");
        WriteText(html, answer.Prediction);
    }

    private static void WriteText(HtmlWriter html, string? text)
    {
        (string start, int leftOut) = Figures.Shorten(text ?? "", LongestText);
        html.Add($"""<div class="text" dir="auto">{(start.Length == 0 ? "(nothing)" : start)}</div>""");
        if (leftOut > 0)
            html.Add($"""<p class="count">{Figures.Plural(leftOut, "character")} more in eval/</p>""");
    }
}
