using System.Globalization;
using System.Text;

namespace Gradus.Cli.Tests.Reports;

/// <summary>A run folder below the temporary folder, filled by the test and removed after it.</summary>
internal sealed class RunFixture : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("gradus-report-").FullName;

    public string PageUrl => new Uri(Path.Combine(Folder, "report.html")).AbsoluteUri;

    public RunFixture Add(string path, string content)
    {
        string full = Path.Combine(Folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
        return this;
    }

    /// <summary>A log with a falling, wobbling loss; an evaluation every <paramref name="evaluateEvery"/> steps.</summary>
    public RunFixture AddLog(int steps, int evaluateEvery, string stage = "")
    {
        StringBuilder log = new();
        for (int step = 1; step <= steps; step++)
        {
            double loss = 1.4 + (4 * Math.Exp(-5.0 * step / steps)) + (0.1 * Math.Sin(step * 1.7));
            log.Append(CultureInfo.InvariantCulture, $"{{\"kind\":\"step\",\"step\":{step},\"loss\":{loss:R},\"learning_rate\":{0.003 * step / steps:R},\"gradient_norm\":{loss / 4:R},\"tokens\":{step * 512},\"tokens_per_second\":{20000 + (step % 7)},\"seconds\":{step * 0.25:R}}}\n");
            if (step % evaluateEvery == 0)
                log.Append(CultureInfo.InvariantCulture, $"{{\"kind\":\"evaluation\",\"step\":{step},\"loss\":{loss + 0.1:R},\"perplexity\":{Math.Exp(loss + 0.1):R},\"bits_per_byte\":{loss / 2:R}}}\n");
        }
        return Add(Path.Combine(stage, "log.jsonl"), log.ToString());
    }

    /// <summary>An evaluation before and one after tuning, with two examples.</summary>
    public RunFixture AddEvaluations(string stage = "") => this
        .Add(Path.Combine(stage, "eval", "after.json"), """
            {"name":"after","task":"Summaries","model":"tuned",
             "metrics":[{"name":"ROUGE-L","value":0.694,"standard_error":0.012,"higher_is_better":true},{"name":"Loss","value":0.35,"higher_is_better":false},{"name":"Words","value":14.8}],
             "samples":[{"prompt":"A: Hello.\nB: Good day.","prediction":"Two people greet.","reference":"They greet.","scores":{"ROUGE-L":0.8}}]}
            """)
        .Add(Path.Combine(stage, "eval", "before.json"), """
            {"name":"before","task":"Summaries","model":"base",
             "metrics":[{"name":"ROUGE-L","value":0.124,"standard_error":0.005,"higher_is_better":true},{"name":"Loss","value":1.9,"higher_is_better":false},{"name":"Words","value":21.4}],
             "samples":[{"prompt":"A: Hello.\nB: Good day.","prediction":"the the a","reference":"They greet.","scores":{"ROUGE-L":0.1}}]}
            """);

    public RunFixture AddCheckpoint(string name, string stage = "") => this
        .Add(Path.Combine(stage, "checkpoints", name, "config.json"), "{}")
        .Add(Path.Combine(stage, "checkpoints", name, "model.safetensors"), "-");

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
