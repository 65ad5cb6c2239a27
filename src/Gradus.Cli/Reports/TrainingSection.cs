// The curves of a run: loss of training and validation, learning rate, gradient norm and speed, all by step.
namespace Gradus.Cli.Reports;

internal static class TrainingSection
{
    /// <summary>Evaluations in the table of numbers; more are thinned.</summary>
    private const int MostRows = 200;

    /// <summary>Curves of an objective's metrics; a log with more names has been written by something else.</summary>
    private const int MostMetrics = 60;

    public static void Write(ReportPage page, string id, LogContents log)
    {
        HtmlWriter html = page.Main;
        if (log.Steps.Count == 0 && log.Evaluations.Count == 0)
        {
            html.Add($"""<p class="note">log.jsonl has no steps yet: there are no curves.</p>""");
            return;
        }
        page.AddToContents($"{id}-training", "Training", 2);
        html.Add($"""<h3 id="{id}-training">Training</h3>""");
        WriteTiles(html, log);
        foreach (string alarm in log.Alarms)
            html.Add($"""<p class="note warning">{alarm}</p>""");
        Curve train = Curve.Of(log.Steps, line => line.Loss), validation = Curve.Of(log.Evaluations, line => line.Loss);
        WriteLoss(page, id, train, validation, log.Evaluations.Any(line => line.Perplexity is not null) ? "loss (nats per token)" : "loss");
        html.Add($"""<div class="charts">""");
        WriteSmall(page, id, "rate", "Learning rate", "learning rate", "rate", Curve.Of(log.Steps, line => line.LearningRate), smooth: false);
        WriteSmall(page, id, "gradient", "Gradient norm", "L2 norm", "number", Curve.Of(log.Steps, line => line.GradientNorm), smooth: true);
        WriteSmall(page, id, "speed", "Speed", "tokens per second", "count", Curve.Of(log.Steps, line => line.TokensPerSecond), smooth: true);
        WriteMetrics(page, id, log);
        html.Add($"</div>");
        WriteNotes(html, log, train, validation);
        WriteEvaluations(html, log.Evaluations);
    }

    /// <summary>The finite loss with the least value, or null.</summary>
    public static LogLine? Best(IReadOnlyList<LogLine> lines) =>
        lines.Where(line => line.Loss is { } loss && double.IsFinite(loss)).MinBy(line => line.Loss!.Value);

    private static void WriteTiles(HtmlWriter html, LogContents log)
    {
        html.Add($"""<dl class="tiles">""");
        LogLine[] losses = [.. log.Steps.Where(line => line.Loss is not null)];
        if (losses.Length > 0)
            Tile(html, "Train loss", Figures.Number(losses[^1].Loss!.Value), losses.Length > 1 ? $"at step {Figures.Count(losses[^1].Step!.Value)}, from {Figures.Number(losses[0].Loss!.Value)}" : $"at step {Figures.Count(losses[0].Step!.Value)}");
        if (Best(log.Evaluations) is { } best)
            Tile(html, "Best validation", Figures.Number(best.Loss!.Value), $"at step {Figures.Count(best.Step!.Value)}{(best.Perplexity is { } p && double.IsFinite(p) ? $", perplexity {Figures.Number(p)}" : "")}");
        if (log.Steps.Count > 0)
            Tile(html, "Steps", Figures.Count(log.Steps[^1].Step!.Value), log.Resumes == 0 ? "" : log.Resumes == 1 ? "resumed once" : $"resumed {Figures.Count(log.Resumes)} times");
        if (Total(log.Steps, line => line.Tokens) is { } tokens)
            Tile(html, "Tokens", Figures.Large(tokens), "trained on");
        if (Curve.Of(log.Steps, line => line.TokensPerSecond) is { Finite: > 0 } speed)
            Tile(html, "Speed", Figures.Large(speed.Median()), "tokens per second, median");
        if (Total(log.Steps, line => line.Seconds) is { } seconds)
            Tile(html, "Time", Figures.Duration(seconds), "");
        html.Add($"</dl>");
    }

    /// <summary>One figure: its name, its value, and what puts it into place.</summary>
    public static void Tile(HtmlWriter html, string name, string value, string detail) =>
        html.Add($"""<div><dt>{name}</dt><dd><strong>{value}</strong><small>{detail}</small></dd></div>""");

    /// <summary>The last of the values where they count up from step to step; null where they do not and so are no running total.</summary>
    private static double? Total(IReadOnlyList<LogLine> steps, Func<LogLine, double?> value)
    {
        Curve curve = Curve.Of(steps, value);
        bool countsUp = curve.Values.Length > 1 && curve.Values.Zip(curve.Values.Skip(1)).All(pair => pair.First < pair.Second);
        return countsUp && double.IsFinite(curve.Values[^1]) ? curve.Values[^1] : null;
    }

    private static void WriteLoss(ReportPage page, string id, Curve train, Curve validation, string axis)
    {
        if (train.Finite + validation.Finite == 0)
        {
            page.Main.Add($"""<p class="note warning">There is no finite loss to draw.</p>""");
            return;
        }
        List<ChartSeries> series = [];
        AddTrain(series, "train", train);
        if (validation.Steps.Length > 0)
            series.Add(new ChartSeries("validation", SeriesRole.Validation, validation));
        string summary = string.Join(" ", series.Where(s => s.Role != SeriesRole.Raw).Select(Describe));
        WriteChart(page, new Chart($"{id}-loss", id, axis, "number", true, series), "Loss", summary);
    }

    private static void WriteSmall(ReportPage page, string id, string part, string title, string axis, string format, Curve curve, bool smooth)
    {
        List<ChartSeries> series = [];
        if (smooth)
            AddTrain(series, "logged", curve);
        else
            series.Add(new ChartSeries("logged", SeriesRole.Trend, curve));
        if (curve.Finite > 0)
            WriteChart(page, new Chart($"{id}-{part}", id, axis, format, false, series), title, Describe(series[^1]));
    }

    /// <summary>A small chart for each metric of the objective: in training, and on held-out data.</summary>
    private static void WriteMetrics(ReportPage page, string id, LogContents log)
    {
        string[] names = [.. log.Steps.Concat(log.Evaluations).SelectMany(line => line.Metrics?.Keys.AsEnumerable() ?? []).Distinct(StringComparer.Ordinal).Take(MostMetrics)];
        for (int i = 0; i < names.Length; i++)
        {
            string name = names[i];
            Curve train = Curve.Of(log.Steps, Value), validation = Curve.Of(log.Evaluations, Value);
            List<ChartSeries> series = [];
            AddTrain(series, "train", train);
            if (validation.Steps.Length > 0)
                series.Add(new ChartSeries("validation", SeriesRole.Validation, validation));
            if (train.Finite + validation.Finite > 0)
                WriteChart(page, new Chart($"{id}-metric-{i}", id, name, "number", false, series), name, string.Join(" ", series.Where(s => s.Role != SeriesRole.Raw).Select(Describe)));

            double? Value(LogLine line) => line.Metrics?.GetValueOrDefault(name);
        }
    }

    /// <summary>A short curve as it is; a long one as single values with their moving mean over them.</summary>
    private static void AddTrain(List<ChartSeries> series, string label, Curve curve)
    {
        if (curve.Steps.Length == 0)
            return;
        bool smooth = curve.Window > 0;
        series.Add(new ChartSeries(label, smooth ? SeriesRole.Raw : SeriesRole.Trend, curve));
        if (smooth)
            series.Add(new ChartSeries($"mean of {curve.Window}", SeriesRole.Trend, curve.Smoothed()));
    }

    /// <summary>The curve in words, for those who do not see it.</summary>
    private static string Describe(ChartSeries series)
    {
        Curve curve = series.Curve;
        (long Step, double Value)[] finite = [.. curve.Steps.Zip(curve.Values).Where(point => double.IsFinite(point.Second))];
        if (finite.Length == 0)
            return $"{series.Label}: no finite value.";
        (long Step, double Value) least = finite.MinBy(point => point.Value), greatest = finite.MaxBy(point => point.Value);
        return $"{series.Label}: {Figures.Number(finite[0].Value)} at step {Figures.Count(finite[0].Step)}, {Figures.Number(finite[^1].Value)} at step {Figures.Count(finite[^1].Step)};"
            + $" least {Figures.Number(least.Value)} at step {Figures.Count(least.Step)}, greatest {Figures.Number(greatest.Value)} at step {Figures.Count(greatest.Step)}.";
    }

    private static void WriteChart(ReportPage page, Chart chart, string title, string summary)
    {
        page.AddChart(chart);
        page.Main.Add($"""
            <figure class="chart {(chart.Tall ? "tall" : "small")}">
            <figcaption><span>{title}</span></figcaption>
            <div class="plot" id="{chart.Id}" tabindex="0" role="img" aria-label="{title} by step. {summary}"></div>
            </figure>
            """);
    }

    private static void WriteNotes(HtmlWriter html, LogContents log, Curve train, Curve validation)
    {
        if (log.Evaluations.Count == 0)
            html.Add($"""<p class="note">No validation was logged: the curve shows training alone, and says nothing about over-fitting.</p>""");
        Curve norm = Curve.Of(log.Steps, line => line.GradientNorm);
        foreach ((string what, Curve curve) in new[] { ("The training loss", train), ("The validation loss", validation), ("The gradient norm", norm) })
        {
            if (curve.NonFinite() is { } bad)
                html.Add($"""<p class="note warning">{what} is not a finite number at {Figures.Plural(bad.Count, "logged step")}, first at step {Figures.Count(bad.Step)}.</p>""");
        }
    }

    private static void WriteEvaluations(HtmlWriter html, IReadOnlyList<LogLine> all)
    {
        if (all.Count == 0)
            return;
        LogLine? best = Best(all);
        int shown = Math.Min(all.Count, MostRows);
        LogLine[] lines = [.. Enumerable.Range(0, shown).Select(i => all[(int)((long)i * (all.Count - 1) / Math.Max(shown - 1, 1))])];
        (string Name, Func<LogLine, double?> Value)[] columns =
        [
            .. new (string, Func<LogLine, double?>)[] { ("Loss", line => line.Loss), ("Perplexity", line => line.Perplexity), ("Bits per byte", line => line.BitsPerByte) }
                .Concat(all.SelectMany(line => line.Metrics?.Keys.AsEnumerable() ?? []).Distinct(StringComparer.Ordinal).Take(MostMetrics)
                    .Select(name => (name, (Func<LogLine, double?>)(line => line.Metrics?.GetValueOrDefault(name)))))
                .Where(column => all.Any(line => column.Item2(line) is not null)),
        ];
        string left = shown < all.Count ? $", {Figures.Count(shown)} shown" : "";
        html.Add($"""
            <details class="numbers"><summary>Validation in numbers <span class="count">{Figures.Plural(all.Count, "evaluation")}{left}</span></summary>
            <div class="scroll" tabindex="0" role="region" aria-label="Validation in numbers"><table><thead><tr><th scope="col">Step</th>
            """);
        foreach ((string name, _) in columns)
            html.Add($"""<th scope="col">{name}</th>""");
        html.Add($"</tr></thead><tbody>");
        foreach (LogLine line in lines)
        {
            html.Add($"""<tr{(line == best ? " class=best" : "")}><th scope="row">{Figures.Count(line.Step!.Value)}{(line == best ? " (best)" : "")}</th>""");
            foreach ((_, Func<LogLine, double?> value) in columns)
                html.Add($"<td>{(value(line) is { } v ? Figures.Number(v) : "–")}</td>");
            html.Add($"</tr>");
        }
        html.Add($"</tbody></table></div></details>");
    }
}
