// Source: ragas (vibrantlabsai/ragas, snapshot 2b38724), the arithmetic of its measures behind the judge's verdicts. Where ragas gives not-a-number these give null: a measure
// that cannot be computed is no number and no zero.

using System.Numerics.Tensors;
using System.Text.RegularExpressions;

namespace Gradus.Applications.Retrieval.Measures;

/// <summary>Measures of retrieval-augmented answers from verdicts of a judge.</summary>
public static partial class RagScores
{
    /// <summary>Context precision: Σ precision@k · v_k / (relevant contexts + 1e-10); 0 without contexts.</summary>
    /// <param name="verdicts">Whether each context was useful, in the order of retrieval.</param>
    public static double ContextPrecision(IReadOnlyList<bool> verdicts)
    {
        ArgumentNullException.ThrowIfNull(verdicts);
        double sum = 0;
        int useful = 0;
        for (int i = 0; i < verdicts.Count; i++)
            sum += verdicts[i] ? (double)++useful / (i + 1) : 0;
        return sum / (useful + 1e-10);
    }

    /// <summary>Context recall, or faithfulness: the share of claims that the context supports; null without claims.</summary>
    /// <param name="supported">Whether each claim is supported.</param>
    public static double? Supported(IReadOnlyList<bool> supported)
    {
        ArgumentNullException.ThrowIfNull(supported);
        return supported.Count == 0 ? null : (double)supported.Count(s => s) / supported.Count;
    }

    /// <summary>Response relevancy: the mean cosine of questions made from the answer with the question, 0 where every one was noncommittal; null without questions or for a vector of zeros.</summary>
    /// <param name="question">The question's vector.</param>
    /// <param name="generated">The vectors of questions made from the answer.</param>
    /// <param name="noncommittal">Whether the answer evaded, by question.</param>
    public static double? ResponseRelevancy(double[] question, IReadOnlyList<double[]> generated, IReadOnlyList<bool> noncommittal)
    {
        ArgumentNullException.ThrowIfNull(generated);
        double norm = TensorPrimitives.Norm<double>(question);
        if (generated.Count == 0 || norm == 0 || generated.Any(g => TensorPrimitives.Norm<double>(g) == 0))
            return null;
        double mean = generated.Average(g => TensorPrimitives.Dot<double>(question, g) / (norm * TensorPrimitives.Norm<double>(g)));
        return noncommittal.All(n => n) ? 0 : mean;
    }

    /// <summary>The share of passages in quotation marks that stand in a source word for word; spaces are counted once.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="sources">The sources.</param>
    /// <param name="least">Passages of fewer words than this are passed over.</param>
    /// <returns>How many stand in a source, and how many there are.</returns>
    public static (int Matched, int Total) QuotedPassages(string answer, IReadOnlyList<string> sources, int least = 3)
    {
        ArgumentNullException.ThrowIfNull(sources);
        string[] normal = [.. sources.Select(Normal)];
        string[] quotes = [.. Quoted().Matches(answer).Select(m => Normal(m.Groups[1].Value)).Where(q => q.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length >= least)];
        return (quotes.Count(q => normal.Any(s => s.Contains(q, StringComparison.OrdinalIgnoreCase))), quotes.Length);
    }

    private static string Normal(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [GeneratedRegex("[\"“„«](.+?)[\"”“»]", RegexOptions.Singleline)]
    private static partial Regex Quoted();
}
