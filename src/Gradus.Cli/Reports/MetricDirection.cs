namespace Gradus.Cli.Reports;

/// <summary>Whether more of a metric is better, by the name it has in the field. Unknown metrics are compared without a judgement.</summary>
internal static class MetricDirection
{
    private static readonly string[] LowerIsBetter = ["loss", "perplexity", "bits", "error", "wer", "cer", "toxicity"];
    private static readonly string[] HigherIsBetter = ["rouge", "bleu", "chrf", "meteor", "bertscore", "accuracy", "exact", "f1", "win", "pass", "recall", "precision", "ndcg", "mrr"];

    /// <summary>1 where more is better, −1 where less is, 0 where that is not known.</summary>
    public static int Of(string metric)
    {
        string[] words = metric.ToLowerInvariant().Split([' ', '_', '-', '@', '/', '.'], StringSplitOptions.RemoveEmptyEntries);
        if (Array.Exists(words, word => Array.Exists(LowerIsBetter, known => word == known)))
            return -1;
        return Array.Exists(words, word => Array.Exists(HigherIsBetter, known => word.StartsWith(known, StringComparison.Ordinal))) ? 1 : 0;
    }
}
