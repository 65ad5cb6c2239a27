// Purpose: the scores of an example from its answers. Source: https://github.com/EleutherAI/lm-evaluation-harness, process_results.

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>What the metrics of lm-evaluation-harness keep of an example.</summary>
public static class HarnessScoring
{
    private const int NotAmongChoices = -100;

    private static readonly PythonRegex WhiteSpace = new(@"\s+");

    /// <summary>The scores of a question with choices.</summary>
    /// <param name="choices">The choices.</param>
    /// <param name="target">The number of the right one, its text, or a list of numbers.</param>
    /// <param name="likelihoods">The log-likelihood of each choice; then, for acc_mutual_info, of each without the question.</param>
    /// <param name="greedy">Whether each choice is what the model would have written.</param>
    /// <param name="metrics">The metrics that are wanted.</param>
    /// <exception cref="InvalidDataException">The right answer has another form; one line.</exception>
    public static Dictionary<string, SampleValue> MultipleChoice(
        IReadOnlyList<string> choices, JsonNode? target, IReadOnlyList<double> likelihoods, IReadOnlyList<bool> greedy, IEnumerable<string> metrics)
    {
        ArgumentNullException.ThrowIfNull(choices);
        ArgumentNullException.ThrowIfNull(likelihoods);
        ArgumentNullException.ThrowIfNull(greedy);
        ArgumentNullException.ThrowIfNull(metrics);
        double[] all = [.. likelihoods.Take(choices.Count)];
        int[] gold = target is JsonArray several ? [.. several.Select(g => Index(g, choices))] : [Index(target, choices)];
        if (gold.Length == 0)
            throw new InvalidDataException("doc_to_target gives an empty list; a question with choices needs a right one.");
        int predicted = ArgMax(all);
        Dictionary<string, SampleValue> values = [];
        foreach (string metric in metrics)
        {
            values[metric] = metric switch
            {
                "acc" => Hit(predicted),
                "acc_norm" => Hit(ArgMax(Per(choice => PythonLength(choice)))),
                "acc_bytes" => Hit(ArgMax(Per(Encoding.UTF8.GetByteCount))),
                "acc_mutual_info" => Hit(ArgMax([.. all.Zip(likelihoods.Skip(choices.Count), (with, without) => with - without)])),
                "exact_match" => new NumberSample(Array.Exists(gold, g => g != NotAmongChoices && greedy[g < 0 ? g + choices.Count : g]) ? 1 : 0),
                "f1" or "mcc" => new ClassSample(Only(metric), predicted),
                "brier_score" => new ProbabilitySample(Only(metric), Softmax(all)),
                _ => throw new InvalidDataException($"metric_list: {metric} is no metric of multiple_choice tasks; those are acc, acc_norm, acc_bytes, acc_mutual_info, exact_match, f1, mcc, brier_score."),
            };
        }
        return values;

        NumberSample Hit(int choice) => new(Array.IndexOf(gold, choice) >= 0 ? 1 : 0);

        double[] Per(Func<string, int> length) => [.. all.Select((l, i) => l / length(choices[i]))];

        int Only(string metric) => gold.Length == 1 ? gold[0] : throw new InvalidDataException($"metric_list: {metric} needs one right answer, but an example has {gold.Length}.");
    }

    /// <summary>The scores of a continuation: whether it is what the model would have written, and its log-likelihood.</summary>
    public static Dictionary<string, SampleValue> LogLikelihood(double likelihood, bool greedy, IEnumerable<string> metrics)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        return metrics.ToDictionary(m => m, m => (SampleValue)new NumberSample(m switch
        {
            "perplexity" => likelihood,
            "acc" => greedy ? 1 : 0,
            _ => throw new InvalidDataException($"metric_list: {m} is no metric of loglikelihood tasks; those are perplexity, acc."),
        }));
    }

    /// <summary>The log-likelihood of a text with its words (parted by white space) or bytes.</summary>
    public static Dictionary<string, SampleValue> Rolling(double likelihood, string text, IEnumerable<string> metrics)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(metrics);
        return metrics.ToDictionary(m => m, m => (SampleValue)new WeightedSample(likelihood, m switch
        {
            "word_perplexity" => WhiteSpace.Split(text).Count,
            "byte_perplexity" or "bits_per_byte" => Encoding.UTF8.GetByteCount(text),
            _ => throw new InvalidDataException($"metric_list: {m} is no metric of loglikelihood_rolling tasks; those are word_perplexity, byte_perplexity, bits_per_byte."),
        }));
    }

    /// <summary>eˣ / Σ eˣ, with the largest taken out first.</summary>
    public static double[] Softmax(IReadOnlyList<double> x)
    {
        ArgumentNullException.ThrowIfNull(x);
        double most = x[ArgMax([.. x])], sum = 0;
        double[] y = [.. x.Select(v => Math.Exp(v - most))];
        foreach (double value in y)
            sum += value;
        for (int i = 0; i < y.Length; i++)
            y[i] /= sum;
        return y;
    }

    // The first of equals; a value that is not a number wins, as in numpy.
    private static int ArgMax(double[] values)
    {
        int best = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (double.IsNaN(values[i]))
                return i;
            if (values[i] > values[best])
                best = i;
        }
        return best;
    }

    private static int PythonLength(string text) => text.Length - text.Where((c, i) => i > 0 && char.IsSurrogatePair(text[i - 1], c)).Count();

    private static int Index(JsonNode? gold, IReadOnlyList<string> choices)
    {
        switch (gold?.GetValueKind())
        {
            case JsonValueKind.Number when JsonNumber.Of(gold) is { } index && index == Math.Floor(index):
                return index >= -choices.Count && index < choices.Count ? (int)index : NotAmongChoices;
            case JsonValueKind.True or JsonValueKind.False:
                return gold.GetValueKind() == JsonValueKind.True && choices.Count > 1 ? 1 : 0;
            case JsonValueKind.String:
                int place = choices.ToList().IndexOf((string)gold!);
                return place >= 0 ? place : NotAmongChoices;
            default:
                throw new InvalidDataException($"doc_to_target gives {gold?.ToJsonString() ?? "null"}; a question with choices needs the number or the text of one.");
        }
    }
}
